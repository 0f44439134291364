import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { CacheServiceError, type Transfer } from "compilecache-client";
import { createTestPlace, environment, namesIn, type TestDaemon } from "../daemon/daemons.ts";
import type { CrashCase, Scene } from "./crash-cases.ts";
import { type FaultPoint, recordFaultPoints, withFault } from "./fault-points.ts";
import { onePoolThread } from "./one-pool-thread.ts";

/** Calls that can want room. */
const wantsRoom = /^(mkdir|link|rename|pwrite64|fsync|utimensat)|^openat.*O_CREAT/;
const noSpace = /^INSUFFICIENT_SPACE$/;
const noAccess = /^(STORE|LOCAL)_UNAVAILABLE$/;
const ownName = /^\.cache_[0-9a-f]{12}\..*\.(partial|generations)$|^\.compilecache-/;

/**
 * Has each system call of a case fail with an error of this name, each time from the start, and
 * requires that the caller is told so or that it did no harm, and that the work can be done again.
 */
export async function failAtEach(t: TestContext, work: CrashCase, error: string): Promise<void> {
  const place = await createFailingPlace(t);
  const { scene, daemon } = place;
  const files = dirname(scene.store);
  // The first save of a daemon also asks the file system what it can do, and no later one does.
  await place.reset(work);
  await work.work(scene, daemon.client);
  await place.reset(work);
  const points = await recordFaultPoints(
    place.pid,
    place.log,
    (line) => line.includes(files) || line.includes('"/proc/self/fd/'),
    () => work.work(scene, daemon.client),
  );
  const chosen = isFull(error) ? points.filter(({ seen }) => wantsRoom.test(seen)) : points;
  assert.ok(chosen.length > 0, "there is no call to fail");
  for (const point of chosen)
    await t.test(`at ${point.syscall} ${point.nth} of ${point.thread}: ${point.seen}`, async () => {
      await place.reset(work);
      await failAndLook(place, work, point, error);
    });
}

function isFull(error: string): boolean {
  return error === "ENOSPC" || error === "EDQUOT";
}

/** One place, and a daemon with one thread of each kind, which makes the same calls in each run. */
async function createFailingPlace(t: TestContext) {
  const place = await createTestPlace(t);
  const scene: Scene = { ...place, mount: join(place.allowed, "mount") };
  mkdirSync(scene.mount, { recursive: true });
  const daemon = await place.startDaemon({
    COMPILE_CACHE_ALLOWED_DIRS: `${scene.mount},${scene.allowed}`,
    COMPILE_CACHE_WORKERS: "1",
    // The threads of the two pools are told apart by their priority.
    COMPILE_CACHE_SAVE_NICE: "10",
    ...onePoolThread,
  });
  return {
    scene,
    daemon,
    pid: daemon.child.pid as number,
    log: join(dirname(scene.store), "strace.log"),
    /** Makes all as it is before the work of a case, and sees to it that the threads are there. */
    async reset(work: CrashCase) {
      for (const dir of [scene.mount, scene.allowed, scene.store])
        for (const name of namesIn(dir))
          if (name !== "mount") rmSync(join(dir, name), { recursive: true });
      await startThreads(daemon, join(scene.allowed, "warm"));
      await work.prepare(scene, daemon.client);
    },
  };
}

type FailingPlace = Awaited<ReturnType<typeof createFailingPlace>>;

async function startThreads({ client }: TestDaemon, localDir: string): Promise<void> {
  await client.load({ environment, localDir, namespace: "none" });
  await client.save({ environment, localDir, namespace: "none" });
}

/** How often the daemon left an archive in the other format. */
function leftArchives({ lines }: TestDaemon): number {
  const left = "could not remove the archive in the other format";
  return lines.filter(({ message }) => message === left).length;
}

async function failAndLook(
  { scene, daemon, pid, log }: FailingPlace,
  work: CrashCase,
  point: FaultPoint,
  error: string,
): Promise<void> {
  const { client } = daemon;
  const passedOver = leftArchives(daemon);
  let thrown: unknown;
  await withFault(pid, point, `error=${error}`, log, async () => {
    thrown = await work.work(scene, client).then(
      () => undefined,
      (failure: unknown) => failure,
    );
  });
  if (thrown !== undefined) {
    assert.ok(thrown instanceof CacheServiceError, String(thrown));
    assert.match(String(thrown.reason), isFull(error) ? noSpace : noAccess, thrown.message);
    const { transfers } = await client.listTransfers({ includeFinished: true, pageSize: 1 });
    const { status, error: told } = transfers[0] as Transfer;
    if (told) assert.equal(status, isFull(error) ? "interrupted" : "error");
  }
  if (thrown === undefined && point.syscall === "fsync") {
    // That an archive which loads pass over is gone need not last.
    await delay(100);
    assert.ok(leftArchives(daemon) > passedOver, "what may not last was acknowledged");
  }
  for (const dir of [join(scene.store, "default"), scene.allowed, scene.mount])
    for (const name of namesIn(dir)) if (name.startsWith(".")) assert.match(name, ownName);

  const contents = await work.look(scene, client);
  const outcomes = thrown === undefined ? [work.end] : [...work.outcomes, work.end];
  const isAllowed = outcomes.some((outcome) => isDeepStrictEqual(outcome, contents));
  assert.ok(isAllowed, `after ${String(thrown)} there is ${JSON.stringify(contents)}`);
  await work.work(scene, client);
  assert.deepEqual(await work.look(scene, client), work.end);
}
