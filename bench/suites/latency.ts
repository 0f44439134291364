import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { startDaemon } from "../daemon.ts";
import { Measurements } from "../measurements.ts";
import { type Probe, startProbe } from "../probes/probe.ts";
import { percentile } from "../report/statistics.ts";
import { removeTree } from "../round-trip.ts";
import { describeCache } from "../source-cache.ts";
import type { Suite } from "../suite.ts";
import { createWorkspace } from "./workspace.ts";

const atRest = "at rest, one call after the other";
const atRestWithPauses = "at rest";
const duringLoad = "while a load runs";
const duringSave = "while a save runs";
const duringOthers = "at rest, other processes on all cores";
const restMs = 2_000;
/** The pause between two calls, so that the calls themselves take little CPU time. */
const pauseMs = 2;
const roomPerCacheByte = 3;

/** How long GetTransfer takes for another process while the daemon rests, loads or saves. */
export const latency: Suite = async (context) => {
  const { rounds, say } = context;
  const { dir, source, out, allowedDirs } = createWorkspace(context, roomPerCacheByte);
  const daemon = await startDaemon({ dir, allowedDirs, watchesLoop: true });
  const probe = startProbe("get-transfer", daemon.address);
  const measured = new Measurements();

  const ask = async (
    name: string,
    operationId: string,
    over: () => Promise<unknown>,
    pause = pauseMs,
  ) => {
    await daemon.loopP99Ms("reset");
    probe.tell({ operationId, pauseMs: pause });
    await over();
    probe.tell("stop");
    const tookMs = (await probe.answer()) as number[];
    const loopP99Ms = await daemon.loopP99Ms("read");
    measured.add(name, {
      p50Ms: percentile(tookMs, 50),
      p99Ms: percentile(tookMs, 99),
      loopP99Ms,
    });
  };

  try {
    await daemon.save(source.dir);
    await daemon.load(out);
    removeTree(out);
    const save = await daemon.startSave(source.dir);
    await daemon.finished(save);
    probe.tell({ warmUp: save });
    await probe.answer();
    for (let round = 1; round <= rounds; round++) {
      say(`round ${round} of ${rounds}`);
      await ask(atRest, save, () => sleep(restMs), 0);
      await ask(atRestWithPauses, save, () => sleep(restMs));
      const load = await daemon.startLoad(out);
      await ask(duringLoad, load, () => daemon.finished(load));
      removeTree(out);
      const anotherSave = await daemon.startSave(source.dir);
      await ask(duringSave, anotherSave, () => daemon.finished(anotherSave));
      await withBusyCores(() => ask(duringOthers, save, () => sleep(restMs)));
    }
  } finally {
    probe.stop();
    await daemon.stop();
  }
  return {
    subject: describeCache(source),
    series: measured.toSeries(),
    targets: [
      {
        what: "GetTransfer: p99 while a load runs",
        measured: measured.median(duringLoad, "p99Ms"),
        unit: " ms",
        atLeast: 20,
        aim: 5,
        better: "lower",
      },
      {
        what: "GetTransfer: p50 at rest",
        measured: measured.median(atRest, "p50Ms"),
        unit: " ms",
        atLeast: 1,
        aim: 0.4,
        better: "lower",
      },
    ],
    notes: [
      `${availableParallelism()} cores for the daemon, its workers and the asking process: ` +
        `"${duringOthers}" shows what waiting for a core alone costs.`,
      `Calls are ${pauseMs} ms apart, but for the first line: after a pause a CPU of a virtual machine has to wake up.`,
      "How late the event loop is comes from the daemon itself, the times from its client.",
    ],
  };
};

/** Runs `body` while there is a process for each core that does nothing but use it. */
async function withBusyCores(body: () => Promise<void>): Promise<void> {
  const burning: Probe[] = Array.from({ length: availableParallelism() }, () => startProbe("burn"));
  try {
    await Promise.all(burning.map((probe) => probe.answer()));
    await body();
  } finally {
    for (const probe of burning) probe.stop();
  }
}
