import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Figures } from "../figures.ts";
import { checkModel, checkTable } from "../simulate/check.ts";
import { simulateGrid } from "../simulate/grid.ts";
import { scaleChart } from "./chart.ts";
import { breakTable, loadTables, requestTable, spreadTable } from "./load-tables.ts";
import { callTables, crowdTable, demandTable } from "./measured-tables.ts";
import { coldTable, growTable, saveRunTable } from "./save-tables.ts";
import { summaryOf } from "./summary.ts";

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
    text = between(text, name, markdown);
  writeFileSync(page, text);
  writeFileSync(chart, scaleChart(cells));
}

function originOf({ at, machine, subject }: Figures): string {
  const { commit, node, cores, cpu, memoryBytes, kernel } = machine;
  const memory = `${Math.round(memoryBytes / 1024 ** 3)} GiB`;
  return `Measured with ${subject}. ${at.slice(0, 10)}, commit ${commit}, Node ${node}, ${cores} cores (${cpu}), ${memory}, Linux ${kernel}; stores and local directories on tmpfs.`;
}

function between(text: string, name: string, markdown: string): string {
  const [from, to] = [`<!-- scale:${name} -->`, `<!-- /scale:${name} -->`];
  const start = text.indexOf(from);
  const end = text.indexOf(to);
  if (start < 0 || end < start) throw new Error(`docs/scale.md has no place for ${name}`);
  return `${text.slice(0, start + from.length)}\n${markdown}\n${text.slice(end)}`;
}
