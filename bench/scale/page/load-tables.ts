import { figure, table } from "../../report/markdown.ts";
import { percentile } from "../../report/statistics.ts";
import type { Figures } from "../figures.ts";
import { requestsOf } from "../simulate/demand.ts";
import { breakingPoint, type Cell, run } from "../simulate/grid.ts";
import type { FailureCause, FleetResult } from "../simulate/loads.ts";
import { awsGetsPerS, awsPutsPerS, fleet, podCounts } from "../simulate/scenarios.ts";

const gigabyte = 1e9;
const causeNames: Record<FailureCause, string> = {
  refused: "503 for too long",
  slow: "a read takes too long",
  deadline: `the client's ${fleet.loadDeadlineS} s`,
};

/** What the loads of fleets cost and take, with daemons of their own and with shared ones. */
export function loadTables(cells: readonly Cell[]): string {
  const rowsOf = (isShared: boolean) =>
    cells
      .filter((cell) => cell.isShared === isShared && podCounts.includes(cell.pods))
      .map(({ scenario, pods, result }) => [
        scenario.name,
        pods.toLocaleString("en"),
        figure(result.servedBytes / gigabyte),
        result.requests.toLocaleString("en"),
        result.refused.toLocaleString("en"),
        figure(percentile(result.podsEndS, 50)),
        figure(result.podsEndS.at(-1)),
        result.failedPods.toLocaleString("en"),
      ]);
  const head = ["", "pods", "GB", "requests", "503s", "median s", "last s", "pods that compile"];
  return [
    "**Each pod has its own daemon:**",
    table(head, rowsOf(false)),
    `**The ${fleet.podsPerNode} pods of a node share a daemon and a directory:**`,
    table(head, rowsOf(true)),
  ].join("\n\n");
}

/** The number of pods from which on some have to compile, and the cause. */
export function breakTable(cells: readonly Cell[]): string {
  const names = [...new Set(cells.map(({ scenario }) => scenario.name))];
  const most = Math.max(...podCounts).toLocaleString("en");
  const rows = names.map((name) => {
    const points = [false, true].map((isShared) =>
      breakingPoint(
        cells.filter((cell) => cell.scenario.name === name && cell.isShared === isShared),
      ),
    );
    return [
      name,
      ...points.map((point) => (point ? `${figure(point.pods)} pods` : `not up to ${most}`)),
      whyOf(points.find((point) => point)?.result),
    ];
  });
  return table(["", "own daemons", "shared daemons", "what breaks"], rows, 1);
}

/** The effect of spreading the starts of pods over time. */
export function spreadTable(cells: readonly Cell[]): string {
  const pods = Math.max(...podCounts);
  const spreads = [0, 60, 300];
  const rows = cells
    .filter((cell) => cell.pods === pods && !cell.isShared)
    .map(({ scenario, result }) => [
      scenario.name,
      ...spreads.map((spreadS) => {
        const spread = spreadS === 0 ? result : run(scenario, false, pods, spreadS);
        const failed =
          spread.failedPods > 0 ? `, ${spread.failedPods.toLocaleString("en")} compile` : "";
        return `${figure(spread.podsEndS.at(-1))}${failed}`;
      }),
    ]);
  return table(["last s", ...spreads.map((spreadS) => `started over ${spreadS} s`)], rows);
}

/** What daemons and misses ask of one prefix of AWS S3, at the rates that AWS documents. */
export function requestTable({ calls }: Figures): string {
  const starts = requestsOf(calls.s3.start.calls);
  const loads = requestsOf(calls.s3.load.calls);
  // A miss reads once more for each other cache of the namespace.
  const missNone = requestsOf(calls.s3.emptyMiss.calls);
  const [reads, writes] = ["GET", "PUT"];
  const kinds: [string, number, string, number][] = [
    ["a daemon starts (asks what the server makes of conditions)", starts, writes, awsPutsPerS],
    ["a load", loads, reads, awsGetsPerS],
    ["a miss, nothing else in the namespace", missNone, reads, awsGetsPerS],
    ["a miss, 256 other caches in it", missNone + 256, reads, awsGetsPerS],
  ];
  const rows = kinds.map(([what, each, kind, perS]) => [
    what,
    `${each}`,
    ...[1_250, 10_000].map((daemons) => `${figure((daemons * each) / perS)}`),
    `${perS.toLocaleString("en")} ${kind}/s`,
  ]);
  return table(["", "requests", "1,250 daemons, s", "10,000 daemons, s", "at"], rows, 1);
}

function whyOf(result: FleetResult | undefined): string {
  if (!result) return "";
  const causes = Object.entries(result.causes) as [FailureCause, number][];
  const [most] = causes.sort(([, a], [, b]) => b - a);
  return most ? causeNames[most[0]] : "";
}
