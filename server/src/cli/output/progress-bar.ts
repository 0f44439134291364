import cliProgress from "cli-progress";
import type { Transfer } from "compilecache-client";
import { bytesText, durationText, fileCountText } from "./quantities.ts";

/** Whether a person watches: the bar is drawn on stderr, so that stdout holds the answer alone. */
export function hasTerminal(): boolean {
  return process.stderr.isTTY === true;
}

/** Draws a transfer's states as a bar until they end, then removes it. Returns the last state. */
export async function drawProgress(states: AsyncIterable<Transfer>): Promise<Transfer | undefined> {
  const bar = new cliProgress.SingleBar(
    {
      ...formatFor(process.stderr.columns || 80),
      stream: process.stderr,
      formatTime: etaText,
      clearOnComplete: true,
    },
    cliProgress.Presets.rect,
  );
  let last: Transfer | undefined;
  try {
    for await (const state of states) {
      last = state;
      // Without a total there is nothing to draw yet.
      if (state.bytesTotal === 0) continue;
      if (!bar.isActive) bar.start(state.bytesTotal, state.bytesDone, shownOf(state));
      bar.setTotal(state.bytesTotal);
      bar.update(state.bytesDone, shownOf(state));
    }
  } finally {
    bar.stop();
  }
  return last;
}

/** A line that is longer than the terminal is wide would be cut in the middle of a word. */
function formatFor(columns: number): { format: string; barsize: number } {
  const [longest, longestFiles, least, most] = [57, 24, 5, 30];
  const hasFiles = columns >= longest + longestFiles + least;
  const left = columns - longest - (hasFiles ? longestFiles : 0);
  const files = hasFiles ? "{files}  " : "";
  return {
    format: `{phase} [{bar}] {percentage}%  {bytes}  ${files}{eta_formatted} left`,
    barsize: Math.min(most, Math.max(least, left)),
  };
}

function etaText(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  return seconds < 60 ? `${seconds} s` : durationText(seconds * 1000);
}

function shownOf({ phase, bytesDone, bytesTotal, filesDone, filesTotal }: Transfer) {
  return {
    phase: phase.padEnd("committing".length),
    bytes: `${bytesText(bytesDone)} of ${bytesText(bytesTotal)}`,
    files: `${filesDone.toLocaleString("en-US")} of ${fileCountText(filesTotal)}`,
  };
}
