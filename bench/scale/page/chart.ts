import type { Cell } from "../simulate/grid.ts";
import { fleet } from "../simulate/scenarios.ts";

const width = 760;
const height = 420;
const frame = { left: 60, right: 200, top: 50, bottom: 50 };
const decades = { pods: [1, 4], seconds: [-0.5, 2] } as const;
const colors = ["#8250df", "#0969da", "#bc4c00", "#1a7f37"];

const across = (pods: number) =>
  frame.left +
  ((Math.log10(pods) - decades.pods[0]) / (decades.pods[1] - decades.pods[0])) *
    (width - frame.left - frame.right);
const up = (seconds: number) =>
  height -
  frame.bottom -
  ((Math.log10(seconds) - decades.seconds[0]) / (decades.seconds[1] - decades.seconds[0])) *
    (height - frame.top - frame.bottom);

/** The chart of the grid, as SVG: how long the last pod waits, by pods; a cross where some pods fail. */
export function scaleChart(cells: readonly Cell[]): string {
  const names = [...new Set(cells.map(({ scenario }) => scenario.name))];
  const lines = names.flatMap((name, i) =>
    [false, true].map((isShared) =>
      drawLine(
        cells.filter((cell) => cell.scenario.name === name && cell.isShared === isShared),
        colors[i] ?? "#000",
        isShared,
      ),
    ),
  );
  const legend = names.map((name, i) => {
    const y = frame.top + 14 + i * 22;
    const x = width - frame.right + 16;
    return `<path stroke="${colors[i]}" d="M${x} ${y - 4}h18"/><text x="${x + 24}" y="${y}">${name}</text>`;
  });
  const ticks = [
    ...[10, 100, 1_000, 10_000].map(
      (pods) =>
        `<text x="${across(pods)}" y="${height - frame.bottom + 20}" text-anchor="middle">${pods.toLocaleString("en")}</text>`,
    ),
    ...[1, 10, 60].map(
      (seconds) =>
        `<path class="rule" d="M${frame.left} ${up(seconds).toFixed(1)}H${width - frame.right}"/><text x="${frame.left - 8}" y="${(up(seconds) + 4).toFixed(1)}" text-anchor="end">${seconds} s</text>`,
    ),
  ];
  const label = "Seconds until the last pod has its cache, by pods that start at once";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">
<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
path { stroke-width: 2; fill: none } .rule { stroke: #d0d7de; stroke-width: 1 }
</style>
<rect width="${width}" height="${height}" rx="6" fill="#fff"/>
<text class="title" x="16" y="28">${label}</text>
${[...ticks, ...lines, ...legend].join("\n")}
<text class="small" x="${frame.left}" y="${height - 10}">Simulated. Dashed: the ${fleet.podsPerNode} pods of a node share a daemon. A cross: some pods do not get it in time.</text>
</svg>
`;
}

function drawLine(cells: readonly Cell[], color: string, isShared: boolean): string {
  const whole = cells.filter(({ result }) => result.failedPods === 0);
  const points = whole.map(
    ({ pods, result }) =>
      `${across(pods).toFixed(1)} ${up(result.podsEndS.at(-1) ?? 1).toFixed(1)}`,
  );
  const dashes = isShared ? ' stroke-dasharray="5 4"' : "";
  const line = `<path stroke="${color}"${dashes} d="M${points.join("L")}"/>`;
  const broken = cells.find(({ result }) => result.failedPods > 0);
  if (!broken) return line;
  const [x, y] = [across(broken.pods), up(fleet.loadDeadlineS)];
  const cross = `<path stroke="${color}" d="M${(x - 5).toFixed(1)} ${(y - 5).toFixed(1)}l10 10m0 -10l-10 10"/>`;
  return line + cross;
}
