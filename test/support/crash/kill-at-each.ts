import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { createTestPlace, namesIn } from "../daemon/daemons.ts";
import type { CrashCase, Scene } from "./crash-cases.ts";
import { type KillPoint, killAt, record } from "./kill-points.ts";
import { onePoolThread } from "./one-pool-thread.ts";

/**
 * Kills a daemon at each point of a case that is chosen, each time from the start, and requires that
 * the old state is left or the new one, and that another daemon can do the work afterwards.
 */
export async function killAtEach(
  t: TestContext,
  work: CrashCase,
  isChosen: (point: KillPoint) => boolean,
): Promise<void> {
  const place = await createKillingPlace(t);
  const points = (await findKillPoints(place, work)).filter(isChosen);
  assert.ok(points.length > 0, "there is nothing to kill at");
  for (const point of points)
    await t.test(`at ${point.syscall} ${point.nth}: ${point.seen}`, async () => {
      place.reset();
      await killAndLook(place, work, point);
    });
}

/** One place, a daemon that lives on, and daemons that are killed. */
async function createKillingPlace(t: TestContext) {
  const place = await createTestPlace(t);
  const scene: Scene = { ...place, mount: join(place.allowed, "mount") };
  mkdirSync(scene.mount, { recursive: true });
  // One thread of each kind makes the same calls in each run.
  const variables = {
    COMPILE_CACHE_ALLOWED_DIRS: `${scene.mount},${scene.allowed}`,
    COMPILE_CACHE_WORKERS: "1",
    ...onePoolThread,
  };
  const survivor = await place.startDaemon(variables);
  return {
    scene,
    survivor,
    startDaemon: async () => {
      const daemon = await place.startDaemon(variables);
      const pid = daemon.child.pid as number;
      await untilAtRest(pid);
      return { ...daemon, pid };
    },
    /** Makes all directories as they were at first. */
    reset() {
      for (const dir of [scene.mount, scene.allowed, scene.store])
        for (const name of namesIn(dir))
          if (name !== "mount") rmSync(join(dir, name), { recursive: true });
    },
  };
}

/**
 * Its threads read their modules once it listens already: where tracing begins amid that, the calls are
 * others in each run.
 */
async function untilAtRest(pid: number): Promise<void> {
  const ticks = () => readFileSync(`/proc/${pid}/stat`, "utf8").split(" ").slice(13, 15).join();
  let before = "";
  for (let same = 0; same < 3; ) {
    await sleep(100);
    const now = ticks();
    same = now === before ? same + 1 : 0;
    before = now;
  }
}

type KillingPlace = Awaited<ReturnType<typeof createKillingPlace>>;

/** Where the work of a case can be killed, in the order of its run. */
async function findKillPoints(place: KillingPlace, work: CrashCase): Promise<KillPoint[]> {
  const { scene, survivor } = place;
  await work.prepare(scene, survivor.client);
  const daemon = await place.startDaemon();
  const recording = await record(daemon.pid, join(scene.store, "..", "strace.log"));
  await work.work(scene, daemon.client);
  daemon.child.kill("SIGKILL");
  const points = await recording.points();
  assert.deepEqual(await work.look(scene, survivor.client), work.end);
  return points;
}

async function killAndLook(place: KillingPlace, work: CrashCase, point: KillPoint): Promise<void> {
  const { scene, survivor } = place;
  await work.prepare(scene, survivor.client);
  const daemon = await place.startDaemon();
  await killAt(daemon.pid, point);
  const done = await work.work(scene, daemon.client).then(
    () => true,
    () => false,
  );
  daemon.child.kill("SIGTERM");
  const { signal } = await daemon.ended;
  assert.equal(signal, "SIGKILL", "the daemon did not come to this point");

  const contents = await work.look(scene, survivor.client);
  const outcomes = done ? [work.end] : work.outcomes;
  const isAllowed = outcomes.some((outcome) => isDeepStrictEqual(outcome, contents));
  assert.ok(isAllowed, `after the kill there is ${JSON.stringify(contents)}`);
  await work.work(scene, survivor.client);
  assert.deepEqual(await work.look(scene, survivor.client), work.end);
}
