import { figure, table } from "../../report/markdown.ts";
import { median } from "../../report/statistics.ts";
import {
  type Figures,
  lastEndS,
  type Operation,
  operations,
  type StoreKind,
  storeKinds,
} from "../figures.ts";
import type { Check } from "../simulate/check.ts";
import { demandOf, requestsOf } from "../simulate/demand.ts";

const megabyte = 1e6;

/** The calls and bytes of each operation. */
export function callTables(figures: Figures): string {
  return storeKinds.map((store) => callTable(figures, store)).join("\n\n");
}

function callTable({ calls }: Figures, store: StoreKind): string {
  const rows = (Object.keys(operations) as Operation[]).map((operation) => {
    const { calls: counted, downBytes, upBytes } = calls[store][operation];
    const named = Object.entries(counted).sort(([, a], [, b]) => b - a);
    return [
      operations[operation],
      `${requestsOf(counted)}`,
      figure(downBytes / megabyte),
      figure(upBytes / megabyte),
      named.map(([name, count]) => `${count} ${name}`).join(", "),
    ];
  });
  const head =
    store === "s3"
      ? ["object store", "requests", "MB read", "MB written", "which"]
      : ["file store", "calls", "MB read", "MB written", "as NFS has them"];
  return table(head, rows, 1);
}

/** The cost of daemons that load at once, and of clients that share a daemon. */
export function crowdTable(figures: Figures): string {
  const rows = storeKinds.flatMap((store) =>
    [...figures.loads[store], figures.shared[store]].map((crowd, i, { length }) => {
      const own = crowd.daemons === 1 ? "1 daemon" : `${crowd.daemons} daemons`;
      const name = i === length - 1 ? `${crowd.daemons} clients of one daemon` : own;
      return [
        `${store === "s3" ? "object" : "file"} store, ${name}`,
        figure(lastEndS(crowd)),
        figure(median(crowd.cpuS)),
        figure(median(crowd.serverCpuS)),
        figure(median(crowd.othersCpuS)),
        figure(median(crowd.movedBytes) / megabyte),
      ];
    }),
  );
  return table(
    ["loads at once", "last s", "CPU s", "server CPU s", "others' CPU s", "MB read"],
    rows,
  );
}

/** The demand of one load, which the simulation takes from the measured figures. */
export function demandTable(figures: Figures): string {
  const demands = storeKinds.map((store) => demandOf(figures, store));
  const row = (name: string, of: (demand: (typeof demands)[number]) => number) => [
    name,
    ...demands.map((demand) => figure(of(demand))),
  ];
  return table(
    ["one load", "file store", "object store"],
    [
      row("requests before the data, one after the other", (demand) => demand.openingRequests),
      row("their MB", (demand) => demand.openingBytes / megabyte),
      row("requests for data", (demand) => demand.dataRequests),
      row("their MB", (demand) => demand.dataBytes / megabyte),
      row("CPU s", (demand) => demand.cpuS),
      row("MB written to the node", (demand) => demand.contentBytes / megabyte),
      row("s that no resource explains", (demand) => demand.fixedS),
    ],
  );
}

/** What the model predicts of the measured runs, beside what was measured. */
export function checkTable(checks: readonly Check[]): string {
  const rows = checks.map(({ what, unit, predicted, measured, othersShare, isFed }) => [
    what,
    `${figure(predicted)} ${unit}`.trim(),
    `${figure(measured)} ${unit}`.trim(),
    isFed ? "fed with it" : errorOf(predicted, measured),
    `${Math.round(othersShare * 100)} %`,
  ]);
  return table(["", "simulated", "measured", "error", "of the cores, others took"], rows);
}

function errorOf(predicted: number, measured: number): string {
  if (measured === 0) return predicted === 0 ? "0 %" : "–";
  const percent = Math.round((predicted / measured - 1) * 100);
  return `${percent > 0 ? "+" : ""}${percent} %`;
}
