// Draws docs/warm-start.svg: node bench/gpu/chart.ts docs/warm-start.jsonl > docs/warm-start.svg
import { readFileSync } from "node:fs";

/** A start, as `warm_start.py` records it, with the bar that it counts to. */
interface Run {
  readonly panel: string;
  readonly bar: string;
  readonly import_s: number;
  readonly load_s?: number;
  readonly models_s: number;
  readonly warm_s: number;
  readonly torch_s: Readonly<Record<string, number>>;
}

const width = 760;
const labelWidth = 210;
const barHeight = 22;
const rowHeight = 34;
const titleHeight = 42;
const tuning = "CachingAutotuner.coordinate_descent_tuning";
const parts = ["import", "load", "tuning", "rest"];

/** Seconds of a start, by part. */
function partsOf({ warm_s, import_s, load_s = 0, torch_s }: Run): number[] {
  const tuned = torch_s[tuning] ?? 0;
  return [import_s, load_s, tuned, warm_s - import_s - load_s - tuned];
}

const runs = readFileSync(process.argv[2] ?? "docs/warm-start.jsonl", "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Run)
  .filter(({ bar }) => bar !== "nothing");
const scale = (width - labelWidth - 110) / Math.max(...runs.map(({ warm_s }) => warm_s));
const drawn: string[] = [];
let y = 0;
for (const [panel, inPanel] of Map.groupBy(runs, ({ panel }) => panel)) {
  drawn.push(`<text class="title" x="16" y="${y + 28}">${panel}</text>`);
  y += titleHeight;
  for (const [bar, starts] of Map.groupBy(inPanel, ({ bar }) => bar)) {
    drawn.push(drawBar(bar, starts, y));
    y += rowHeight;
  }
}

/** The start whose time is the median (of two, the slower), and the range of all. */
function drawBar(name: string, starts: readonly Run[], top: number): string {
  const sorted = starts.toSorted((a, b) => a.warm_s - b.warm_s);
  const median = sorted[Math.floor(sorted.length / 2)] as Run;
  const [least, most] = [sorted[0] as Run, sorted.at(-1) as Run];
  const middle = top + barHeight / 2;
  let x = labelWidth;
  const rects = partsOf(median).map((seconds, i) => {
    const rect = `<rect class="${parts[i]}" x="${x.toFixed(1)}" y="${top}" width="${(seconds * scale).toFixed(1)}" height="${barHeight}"/>`;
    x += seconds * scale;
    return rect;
  });
  const at = (run: Run) => (labelWidth + run.warm_s * scale).toFixed(1);
  const figures = sorted.length === 1 ? "" : ` (${sorted.length} starts)`;
  return [
    `<text x="${labelWidth - 10}" y="${middle + 4}" text-anchor="end">${name}</text>`,
    ...rects,
    `<path class="range" d="M${at(least)} ${middle}H${at(most)}"/>`,
    `<text x="${Number(at(most)) + 8}" y="${middle + 4}">${median.warm_s.toFixed(1)}${figures}</text>`,
  ].join("\n");
}

const legend = [
  "imports",
  "load",
  "tuning by coordinate descent",
  "the rest: mostly torch's tracing",
];
let legendX = 16;
const key = legend.map((text, i) => {
  const drawnKey = `<rect class="${parts[i]}" x="${legendX}" y="${y + 14}" width="12" height="12"/><text class="small" x="${legendX + 17}" y="${y + 24}">${text}</text>`;
  legendX += 40 + text.length * 6.2;
  return drawnKey;
});
const height = y + 58;
console.log(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="Seconds from process start to warm models">
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.import { fill: #d0d7de } .load { fill: #cf222e } .tuning { fill: #bf8700 } .rest { fill: #8c959f }
.range { stroke: #1f2328; stroke-width: 1.5 }
</style>
<rect width="${width}" height="${height}" rx="6" fill="#fff"/>
${drawn.join("\n")}
${key.join("\n")}
<text class="small" x="16" y="${height - 12}">Seconds from process start to warm models on an H200; medians (of two, the slower), lines from the least to the most</text>
</svg>`);
