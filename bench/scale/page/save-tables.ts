import { figure, table } from "../../report/markdown.ts";
import { median } from "../../report/statistics.ts";
import { type Figures, lastEndS, type SaveRun } from "../figures.ts";
import { type ColdStartResult, simulateColdStart } from "../simulate/cold-start.ts";
import { aloneCost, requestsOf } from "../simulate/demand.ts";
import { fleet, node, podCounts, scenariosOf } from "../simulate/scenarios.ts";

const gigabyte = 1e9;
/** Assumed: how long a pod compiles with nothing cached. */
const compileS = 120;
const spreads = [0, 0.01, 0.05];
/** How often each start is simulated, as the times to compile are random. */
const seeds = 21;
/** Numbers of savers that each have new files. */
const growers = [2, 8, 32, 128];

/** How many savers collide over one NFS server that stores nothing yet, and what that costs. */
export function coldTable(figures: Figures): string {
  const [scenario] = scenariosOf(figures);
  const alone = aloneCost(figures, aloneRun(figures));
  const { saveSkipped, refreshHashed } = figures.calls.s3;
  const rows = [false, true].flatMap((isShared) =>
    podCounts.flatMap((pods) => {
      const savers = isShared ? Math.ceil(pods / fleet.podsPerNode) : pods;
      return spreads.map((spread) => {
        const results = Array.from({ length: seeds }, (_, seed) =>
          simulateColdStart(
            {
              savers,
              compileS,
              spread,
              // The savers of a node save at once, so they share its cores.
              saveS: alone.fixedS + alone.cpuS / (node.cores / (isShared ? 1 : fleet.podsPerNode)),
              archiveBytes: figures.archiveBytes,
              storeBandwidth: scenario?.store.bandwidth ?? Number.NaN,
            },
            seed,
          ),
        );
        const middle = (of: (result: ColdStartResult) => number) => median(results.map(of));
        const inVain = middle((result) => result.inVain);
        return [
          isShared ? "shared daemons" : "own daemons",
          pods.toLocaleString("en"),
          `${spread * 100} %`,
          inVain.toLocaleString("en"),
          figure(inVain * alone.cpuS),
          figure(middle((result) => result.wastedBytes) / gigabyte),
          figure(middle((result) => result.firstSavedS)),
          figure(((savers - 1 - inVain) * saveSkipped.downBytes) / gigabyte),
          figure(((savers - 1) * refreshHashed.downBytes) / gigabyte),
          figure((savers - 1) * refreshHashed.cpuS),
        ];
      });
    }),
  );
  const head = [
    "",
    "pods",
    "spread",
    "packed in vain",
    "CPU s in vain",
    "GB in vain",
    "first archive after s",
    "SKIP: GB that the others read",
    "REFRESH: GB that they read",
    "REFRESH: CPU s to compare",
  ];
  return table(head, rows);
}

/** The cost of refreshes at once by savers that each have new files. */
export function growTable({ calls }: Figures): string {
  const { refreshAppended: append } = calls.s3;
  const rows = growers.map((savers) => {
    const tries = (savers * (savers + 1)) / 2;
    return [
      savers.toString(),
      tries.toLocaleString("en"),
      figure((tries * (append.upBytes + append.downBytes)) / gigabyte),
      (tries * requestsOf(append.calls)).toLocaleString("en"),
      figure(tries * append.cpuS),
    ];
  });
  return table(
    ["savers at once, each with files of its own", "tries", "GB", "requests", "CPU s"],
    rows,
  );
}

/** The measured saves at once. */
export function saveRunTable({ saves }: Figures): string {
  const rows = saves.map(({ store, policy, daemons, inVain, failed, endsS, cpuS, movedBytes }) => [
    `${store === "s3" ? "object" : "file"} store, ${policy}`,
    `${daemons}`,
    figure(median(inVain)),
    figure(median(failed)),
    figure(lastEndS({ endsS })),
    figure(median(cpuS)),
    figure(median(movedBytes) / 1e6),
  ]);
  return table(["", "savers", "in vain", "failed", "last s", "CPU s", "MB written"], rows);
}

function aloneRun({ saves }: Figures): SaveRun | undefined {
  return saves.find(({ store, daemons }) => store === "file" && daemons === 1);
}
