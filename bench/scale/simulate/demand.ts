import { median } from "../../report/statistics.ts";
import { type Crowd, type Figures, lastEndS, type StoreKind } from "../figures.ts";
import type { LoadDemand } from "./model.ts";

/** Blocks, or frames, that a load has asked for and not unpacked yet, as the daemon's code has it. */
const window = { s3: 5, file: 6 } satisfies Record<StoreKind, number>;
/** Manifest and file index. */
const openingReads = 2;

/** What a load from such a store demands, as it was measured. */
export function demandOf(figures: Figures, store: StoreKind): LoadDemand {
  const { load, refreshSkipped } = figures.calls[store];
  const { cpuS, fixedS } = aloneCost(figures, figures.loads[store][0]);
  const reads = load.calls[store === "s3" ? "GetObject" : "READ"] ?? 0;
  const dataRequests = reads - openingReads;
  // A refresh that finds nothing new has read what comes before the data, and no more.
  const openingBytes = refreshSkipped.downBytes;
  return {
    openingRequests: requestsOf(load.calls) - dataRequests,
    openingBytes,
    dataRequests,
    dataBytes: load.downBytes - openingBytes,
    window: window[store],
    cpuS,
    contentBytes: figures.contentBytes,
    fixedS,
  };
}

/** CPU of one that has the machine to itself, its server's included, and what it takes beside that. */
export function aloneCost({ machine }: Figures, alone: Crowd | undefined) {
  if (!alone) throw new Error("nothing was measured alone");
  const cpuS = median(alone.cpuS) + median(alone.serverCpuS);
  return { cpuS, fixedS: Math.max(0, lastEndS(alone) - cpuS / machine.cores) };
}

export function requestsOf(calls: Readonly<Record<string, number>>): number {
  return Object.values(calls).reduce((sum, count) => sum + count, 0);
}
