import cliProgress from "cli-progress";
import { hasTerminal } from "./progress-bar.ts";
import { bytesText } from "./quantities.ts";

/** Draws the bytes that some work has done, where a person watches; returns what the work returns. */
export async function drawBytes<Result>(
  label: string,
  work: AsyncGenerator<{ done: number; total: number }, Result>,
): Promise<Result> {
  const bar = new cliProgress.SingleBar(
    {
      format: "{label} [{bar}] {percentage}%  {bytes}",
      stream: process.stderr,
      clearOnComplete: true,
      barsize: 20,
    },
    cliProgress.Presets.rect,
  );
  try {
    for (;;) {
      const step = await work.next();
      if (step.done) return step.value;
      if (!hasTerminal()) continue;
      const { done, total } = step.value;
      const shown = { label, bytes: `${bytesText(done)} of ${bytesText(total)}` };
      if (!bar.isActive) bar.start(total, done, shown);
      else bar.update(done, shown);
    }
  } finally {
    bar.stop();
  }
}
