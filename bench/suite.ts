import type { Scratch } from "./scratch.ts";

/** Everything that is measured, with how its values are shown. */
export const metrics = {
  wallS: { title: "wall s", digits: 2 },
  cpuS: { title: "CPU s", digits: 2 },
  peakRssMiB: { title: "peak RSS of the daemon, MiB", digits: 0 },
  archiveMB: { title: "archive MB", digits: 1 },
  callMs: { title: "ms", digits: 1 },
  p50Ms: { title: "p50 ms", digits: 2 },
  p99Ms: { title: "p99 ms", digits: 2 },
  loopP99Ms: { title: "event loop late, p99 ms", digits: 2 },
} as const;
export type Metric = keyof typeof metrics;
export type Values = { readonly [M in Metric]?: number };

/** The measurements of one thing: one value for each round. */
export interface Series {
  readonly name: string;
  readonly values: { readonly [M in Metric]?: readonly number[] };
  /** Its median wall time divided by another's, by the name of the ratio. */
  readonly ratios: Readonly<Record<string, number>>;
}

/** A goal of the project, beside what was measured. */
export interface Target {
  readonly what: string;
  /** NaN where it could not be measured. */
  readonly measured: number;
  readonly unit: string;
  readonly atLeast: number;
  readonly aim: number;
  readonly better: "higher" | "lower";
}

export interface SuiteResult {
  /** The cache that was measured with, as text to show. */
  readonly subject: string;
  readonly series: readonly Series[];
  readonly targets: readonly Target[];
  /** What a reader of the numbers must know. */
  readonly notes: readonly string[];
}

/** What a suite may use. */
export interface SuiteContext {
  /** The cache directory to measure with, where one was named. */
  readonly cache: string | undefined;
  readonly rounds: number;
  readonly maxBytes: number;
  /** The script that times the peer, where there is one. */
  readonly peer: string | undefined;
  /** Makes a private directory with room for `bytes`; it is removed after the suite. */
  scratch(bytes: number): Scratch;
  /** Reports progress to the terminal. */
  say(text: string): void;
}

export type Suite = (context: SuiteContext) => Promise<SuiteResult>;
