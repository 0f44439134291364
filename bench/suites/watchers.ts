import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cpuSecondsOf, timed } from "../cost.ts";
import { type MeasuredDaemon, startDaemon } from "../daemon.ts";
import { Measurements } from "../measurements.ts";
import { type Probe, startProbe } from "../probes/probe.ts";
import { removeTree } from "../round-trip.ts";
import { describeCache } from "../source-cache.ts";
import type { Suite, Values } from "../suite.ts";
import { createWorkspace } from "./workspace.ts";

const watcherCounts = [0, 1, 100, 1_000];
const most = watcherCounts.at(-1) as number;
const roomPerCacheByte = 3;
/** How far ahead of the clock a file may be and still count as one that is being written. */
const aheadSeconds = 1.9;

/** How much watchers, which all begin before a load does, slow it down. */
export const watchers: Suite = async (context) => {
  const { rounds, say } = context;
  const { dir, source, outside, allowedDirs } = createWorkspace(context, roomPerCacheByte);
  const daemon = await startDaemon({ dir, allowedDirs });
  const probe = startProbe("watchers", daemon.address);
  const measured = new Measurements();
  try {
    await daemon.save(source.dir);
    for (let round = 0; round <= rounds; round++) {
      say(round === 0 ? "warming up" : `round ${round} of ${rounds}`);
      for (const count of watcherCounts) {
        const values = await watchedLoad(daemon, probe, outside, count);
        if (round > 0) measured.add(nameOf(count), values);
      }
    }
  } finally {
    probe.stop();
    await daemon.stop();
  }
  return {
    subject: describeCache(source),
    series: measured.toSeries({
      ratiosOf: (name) => ({
        "x no watcher": measured.ratio(name, nameOf(0)),
        "CPU x no watcher": measured.ratio(name, nameOf(0), "cpuS"),
      }),
    }),
    targets: [
      {
        what: `a load with ${nameOf(most)}: slower by`,
        measured: (measured.ratio(nameOf(most), nameOf(0)) - 1) * 100,
        unit: " %",
        atLeast: 10,
        aim: 2,
        better: "lower",
      },
    ],
    notes: [
      "The watchers are one process that shares the cores with the daemon: the wall time holds their work too, the CPU is the daemon's alone.",
    ],
  };
};

/**
 * Loads with `count` watchers. A save of the parent directory delays the load until all of them watch:
 * that save waits for a file that appears to be still being written.
 */
async function watchedLoad(
  daemon: MeasuredDaemon,
  probe: Probe,
  outside: string,
  count: number,
): Promise<Values> {
  const out = join(outside, "cache");
  const unfinished = join(outside, "unfinished");
  writeFileSync(unfinished, "");
  const ahead = Date.now() / 1000 + aheadSeconds;
  utimesSync(unfinished, ahead, ahead);
  const blocking = await daemon.startSave(outside);
  const load = await daemon.startLoad(out);
  if (count > 0) {
    probe.tell({ operationId: load, count });
    await probe.answer();
  }
  if ((await daemon.client.getTransfer(load)).status !== "not_started")
    throw new Error("the load did not wait for its watchers");
  const cost = await timed(
    () => cpuSecondsOf(daemon.pid),
    async () => {
      await daemon.client.cancelTransfer(blocking);
      await daemon.finished(load);
    },
  );
  if (count > 0) await probe.answer();
  removeTree(out);
  return cost;
}

function nameOf(count: number): string {
  if (count === 0) return "no watcher";
  return count === 1 ? "1 watcher" : `${count.toLocaleString("en")} watchers`;
}
