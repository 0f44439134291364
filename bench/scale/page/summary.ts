import { figure } from "../../report/markdown.ts";
import { median } from "../../report/statistics.ts";
import type { Figures } from "../figures.ts";
import { demandOf, requestsOf } from "../simulate/demand.ts";
import type { Cell } from "../simulate/grid.ts";
import { fleet, podCounts } from "../simulate/scenarios.ts";

/** The page in a few lines. */
export function summaryOf(figures: Figures, cells: readonly Cell[]): string {
  const { calls, archiveBytes, contentBytes, shared } = figures;
  const pods = Math.max(...podCounts);
  const most = cells.filter((cell) => cell.pods === pods);
  const whole = (isShared: boolean) =>
    most.filter((cell) => cell.isShared === isShared && cell.result.failedPods === 0).length;
  const stores = most.length / 2;
  const slowest = Math.max(
    ...most.filter(({ isShared }) => isShared).map(({ result }) => result.podsEndS.at(-1) ?? 0),
  );
  return [
    `- One load of the ${figure(archiveBytes / 1e6)} MB archive (${figure(contentBytes / 1e6)} MB of files) is ${requestsOf(calls.s3.load.calls)} GETs, or ${requestsOf(calls.file.load.calls)} calls on a file store, and ${figure(demandOf(figures, "file").cpuS)} CPU s. ${shared.s3.daemons} clients that share a daemon and a directory are one load: ${figure(median(shared.s3.movedBytes) / 1e6)} MB were read.`,
    `- Of ${pods.toLocaleString("en")} pods that start at the same moment, all get their cache from ${whole(false)} of the ${stores} stores below with a daemon each, and from ${whole(true)} where the ${fleet.podsPerNode} pods of a node share one; the last then waits at most ${figure(slowest)} s.`,
  ].join("\n");
}
