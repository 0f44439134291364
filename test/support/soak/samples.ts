import { readdirSync, readFileSync } from "node:fs";

/** What a daemon holds at a moment. */
export interface Sample {
  readonly rssMiB: number;
  readonly descriptors: number;
  readonly threads: number;
}

/** Looks at a process; undefined if it is gone. */
export function sampleOf(pid: number): Sample | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const value = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
    return {
      rssMiB: value("VmRSS") / 1024,
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      threads: value("Threads"),
    };
  } catch {
    return undefined;
  }
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
