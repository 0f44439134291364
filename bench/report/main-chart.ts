import type { Report } from "./report.ts";
import { summarize } from "./statistics.ts";

const width = 760;
const labelWidth = 190;
const barHeight = 22;
const rowHeight = 34;
const titleHeight = 40;
const ours = "compilecache";

/** The chart of the main suite, as SVG: bars of wall times, with the range of all rounds at each end. */
export function mainChart({ series, subject, machine }: Report): string {
  const timed = series.flatMap(({ name, values }) =>
    values.wallS ? [{ name, ...summarize(values.wallS) }] : [],
  );
  type Bar = (typeof timed)[number];
  const longest = Math.max(...timed.map(({ max }) => max));
  const scale = (width - labelWidth - 90) / longest;
  const floor = timed.find(({ name }) => name === "cp -r");
  const panels = ["load", "save"].map((what) => ({
    title: what === "load" ? "Load: store to local directory" : "Save: local directory to store",
    bars: timed
      .filter(({ name }) => name.startsWith(`${what}: `))
      .map((bar) => ({ ...bar, name: bar.name.slice(what.length + 2) }))
      .concat(floor ? [floor] : [])
      .sort((a, b) => a.median - b.median),
  }));

  let y = 0;
  const drawn: string[] = [];
  for (const { title, bars } of panels) {
    drawn.push(`<text class="title" x="16" y="${y + 28}">${title}, seconds</text>`);
    y += titleHeight;
    for (const bar of bars) {
      drawn.push(drawBar(bar, y));
      y += rowHeight;
    }
  }
  function drawBar({ name, median, min, max }: Bar, top: number): string {
    const middle = top + barHeight / 2;
    const end = labelWidth + median * scale;
    const kind = name === ours ? "ours" : name === floor?.name ? "floor" : "other";
    return [
      `<text x="${labelWidth - 10}" y="${middle + 4}" text-anchor="end">${name}</text>`,
      `<rect class="${kind}" x="${labelWidth}" y="${top}" width="${(median * scale).toFixed(1)}" height="${barHeight}" rx="3"/>`,
      `<path class="range" d="M${(labelWidth + min * scale).toFixed(1)} ${middle}H${(labelWidth + max * scale).toFixed(1)}"/>`,
      `<text x="${(Math.max(end, labelWidth + max * scale) + 8).toFixed(1)}" y="${middle + 4}">${median.toFixed(2)}</text>`,
    ].join("\n");
  }
  const height = y + 44;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="Wall time of saves and loads">
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.ours { fill: #1a7f37 } .other { fill: #8c959f } .floor { fill: #d0d7de }
.range { stroke: #1f2328; stroke-width: 1.5 }
</style>
<rect width="${width}" height="${height}" rx="6" fill="#fff"/>
${drawn.join("\n")}
<text class="small" x="16" y="${height - 16}">${subject}; ${machine.cores} cores; medians, lines from the least to the most</text>
</svg>
`;
}
