import type { Transfer } from "compilecache-client";

/** Where a transfer is, in one word: its phase while it runs, and then how it ended. */
export function transferStatus({ status, phase, outcome }: Transfer): string {
  if (status === "in_progress") return phase;
  if (status === "not_started") return "waiting";
  // The outcome of one that was cancelled is an error, too.
  return status === "success" ? (outcome?.status ?? status) : status;
}
