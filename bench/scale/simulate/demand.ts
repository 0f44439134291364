import { median } from "../../report/statistics.ts";
import { type Crowd, type Figures, lastEndS, type StoreKind } from "../figures.ts";
import type { LoadDemand } from "./model.ts";

/** How many blocks, or frames, a load requests ahead of unpacking; the same as in the daemon's code. */
const window = { s3: 5, file: 6 } satisfies Record<StoreKind, number>;
/** The reads of the manifest and of the file index. */
const openingReads = 2;

/** What one load from a store of this kind demands, by the measured figures. */
export function demandOf(figures: Figures, store: StoreKind): LoadDemand {
  const { load, refreshSkipped } = figures.calls[store];
  const { cpuS, fixedS } = aloneCost(figures, figures.loads[store][0]);
  const reads = load.calls[store === "s3" ? "GetObject" : "READ"] ?? 0;
  const dataRequests = reads - openingReads;
  // A refresh that finds nothing new reads only the part before the data.
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

/** The CPU seconds of a run that had the machine to itself, its server included, and its other seconds. */
export function aloneCost({ machine }: Figures, alone: Crowd | undefined) {
  if (!alone) throw new Error("nothing was measured alone");
  const cpuS = median(alone.cpuS) + median(alone.serverCpuS);
  return { cpuS, fixedS: Math.max(0, lastEndS(alone) - cpuS / machine.cores) };
}

export function requestsOf(calls: Readonly<Record<string, number>>): number {
  return Object.values(calls).reduce((sum, count) => sum + count, 0);
}
