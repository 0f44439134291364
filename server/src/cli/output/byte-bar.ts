import cliProgress from "cli-progress";
import { cut } from "./fit-table.ts";
import { hasTerminal } from "./progress-bar.ts";
import { bytesText } from "./quantities.ts";

/** Bar, percentage and bytes. */
const besideLabel = 50;

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
      const room = Math.max(10, (process.stderr.columns || 80) - besideLabel);
      const shown = { label: cut(label, room), bytes: `${bytesText(done)} of ${bytesText(total)}` };
      if (!bar.isActive) bar.start(total, done, shown);
      else bar.update(done, shown);
    }
  } finally {
    bar.stop();
  }
}
