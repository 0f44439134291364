import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { originText } from "../../report/machine.ts";
import { figure } from "../../report/markdown.ts";
import { replaceMarked } from "../../report/marked.ts";
import { median } from "../../report/statistics.ts";
import type { Figures } from "../figures.ts";
import { checkModel } from "../simulate/check.ts";
import { demandOf, requestsOf } from "../simulate/demand.ts";
import { type Cell, simulateGrid } from "../simulate/grid.ts";
import { fleet, podCounts } from "../simulate/scenarios.ts";
import { scaleChart } from "./chart.ts";
import { breakTable, loadTables, requestTable, spreadTable } from "./load-tables.ts";
import { callTables, checkTable, crowdTable, demandTable } from "./measured-tables.ts";
import { coldTable, growTable, saveRunTable } from "./save-tables.ts";

const page = fileURLToPath(import.meta.resolve("../../../docs/scale.md"));
const chart = fileURLToPath(import.meta.resolve("../../../docs/scale.svg"));

/** Simulates with these figures, and puts all tables between their marks in docs/scale.md. */
export function writePage(figures: Figures): void {
  const cells = simulateGrid(figures);
  let text = readFileSync(page, "utf8");
  for (const [name, markdown] of Object.entries({
    summary: summaryOf(figures, cells),
    origin: originOf(figures),
    loads: loadTables(cells),
    breaks: breakTable(cells),
    spread: spreadTable(cells),
    requests: requestTable(figures),
    cold: coldTable(figures),
    grow: growTable(figures),
    saves: saveRunTable(figures),
    calls: callTables(figures),
    crowds: crowdTable(figures),
    demand: demandTable(figures),
    check: checkTable(checkModel(figures)),
  }))
    text = replaceMarked(text, `scale:${name}`, markdown);
  writeFileSync(page, text);
  writeFileSync(chart, scaleChart(cells));
}

function originOf({ at, machine, subject }: Figures): string {
  return `Measured with ${subject}. ${originText(at, machine)}; stores and local directories on tmpfs.`;
}

/** The summary at the top of the page. */
function summaryOf(figures: Figures, cells: readonly Cell[]): string {
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
