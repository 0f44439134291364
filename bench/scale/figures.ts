import type { Machine } from "../report/machine.ts";
import { median } from "../report/statistics.ts";

export type StoreKind = "file" | "s3";
export const storeKinds: readonly StoreKind[] = ["file", "s3"];

/** The operations of a daemon whose cost to the store is measured. */
export const operations = {
  start: "a daemon starts",
  emptyMiss: "load, nothing stored",
  save: "save, nothing stored",
  load: "load",
  saveSkipped: "save (SKIP), stored already",
  miss: "load, another cache is stored",
  refreshSkipped: "save (REFRESH), nothing new",
  refreshHashed: "save (REFRESH), nothing new, all files of another time",
  refreshAppended: "save (REFRESH), 2 % new",
} as const;
export type Operation = keyof typeof operations;

/** The cost of one operation: its calls by name, and their bytes. */
export interface Calls {
  readonly calls: Readonly<Record<string, number>>;
  readonly upBytes: number;
  readonly downBytes: number;
  /** CPU of the daemon. */
  readonly cpuS: number;
  /** As its client saw it. */
  readonly wallS: number;
}

/** Loads, or saves, of `daemons` at once: one value for each round. */
export interface Crowd {
  readonly daemons: number;
  /** Until each had ended, in seconds, in the order in which they ended. */
  readonly endsS: readonly (readonly number[])[];
  /** CPU of all daemons together, in seconds. */
  readonly cpuS: readonly number[];
  /** CPU of the store's server; 0 where there is none. */
  readonly serverCpuS: readonly number[];
  /** CPU of everything else on the machine, which makes the times too long. */
  readonly othersCpuS: readonly number[];
  /** Bytes that all read, or, of saves, wrote, sockets included. */
  readonly movedBytes: readonly number[];
}

/** The median, over all rounds, of when the last one had ended; NaN if none did. */
export function lastEndS({ endsS }: Pick<Crowd, "endsS">): number {
  return median(endsS.map((ends) => ends.at(-1) ?? Number.NaN));
}

/** Loads through a proxy that limits them. */
export interface NarrowRun {
  readonly what: "bandwidth" | "requests";
  /** Bytes a second, or requests. */
  readonly limit: number;
  readonly daemons: number;
  readonly failed: readonly number[];
  readonly refused: readonly number[];
  readonly othersCpuS: readonly number[];
  readonly endsS: readonly (readonly number[])[];
}

/** Saves of one key at once, into a store that did not have it. */
export interface SaveRun extends Crowd {
  readonly store: StoreKind;
  readonly policy: "skip" | "refresh" | "refresh, each with 2 % of its own";
  /** Savers that wrote an archive that was never published. */
  readonly inVain: readonly number[];
  /** Those that ended in an error. */
  readonly failed: readonly number[];
}

/** Everything that was measured: the input of the simulation, and what it is checked against. */
export interface Figures {
  readonly at: string;
  readonly machine: Machine;
  readonly subject: string;
  readonly archiveBytes: number;
  readonly contentBytes: number;
  readonly fileCount: number;
  readonly calls: Readonly<Record<StoreKind, Readonly<Record<Operation, Calls>>>>;
  /** Loads of one archive at once, each into a directory of its own. */
  readonly loads: Readonly<Record<StoreKind, readonly Crowd[]>>;
  /** Several clients ask one daemon for one directory; `daemons` is the number of clients. */
  readonly shared: Readonly<Record<StoreKind, Crowd>>;
  readonly narrow: readonly NarrowRun[];
  readonly saves: readonly SaveRun[];
}
