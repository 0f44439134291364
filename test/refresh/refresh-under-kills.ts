import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createTestPlace, environment, namesIn, type TestPlace } from "../concurrency/daemons.ts";
import { contents, many, write } from "./trees.ts";

type Files = Record<string, string>;

/** What one machine was told is stored, and all that it tried to store. */
interface Outcome {
  readonly acknowledged: Files;
  readonly tried: Files;
}

const filesEach = 4;
/** A machine whose daemon is never hit in so many refreshes tests nothing. */
const mostRefreshes = 200;
const longEnoughMs = 20_000;

/**
 * Has machines, each with a daemon of its own, refresh one cache in a file store, and kills each
 * daemon so often, at random, while it is at that. Requires that no file of a refresh that succeeded
 * is lost, and that of the others all files are there or none.
 */
export async function convergeUnderKills(
  t: TestContext,
  { machines, killsEach }: { machines: number; killsEach: number },
): Promise<void> {
  const place = await createTestPlace(t);
  const running = Array.from({ length: machines }, (_, i) => refreshAgain(place, i, killsEach));
  const outcomes = await Promise.all(running);
  const acknowledged: Files = Object.assign({}, ...outcomes.map((each) => each.acknowledged));
  const tried: Files = Object.assign({}, ...outcomes.map((each) => each.tried));

  const { client } = await place.startDaemon();
  const localDir = join(place.allowed, "loaded");
  assert.equal((await client.load({ environment, localDir })).status, "success");
  const stored = contents(localDir);
  const { stored: cache } = await client.getCacheInfo({ environment, localDir });
  const count = (files: Files) => Object.keys(files).length / filesEach;
  t.diagnostic(
    `${count(tried)} refreshes, ${count(acknowledged)} acknowledged, ${count(stored)} stored, generation ${cache?.generation}`,
  );

  const lost = Object.keys(acknowledged).filter((name) => stored[name] === undefined);
  assert.deepEqual(lost, []);
  const ofRefresh = new Map<string, number>();
  for (const [name, content] of Object.entries(stored)) {
    assert.equal(content, tried[name], name);
    ofRefresh.set(dirname(name), (ofRefresh.get(dirname(name)) ?? 0) + 1);
  }
  for (const [refresh, files] of ofRefresh) assert.equal(files, filesEach, refresh);
  const visible = namesIn(join(place.store, "default")).filter((name) => !name.startsWith("."));
  assert.deepEqual(visible, [cache?.filename]);
}

/**
 * Refreshes the cache again and again, each time from a directory of files that nobody else has and
 * that is never saved again, so that nothing that was lost can come back.
 */
async function refreshAgain(
  place: TestPlace,
  machine: number,
  killsEach: number,
): Promise<Outcome> {
  const start = () => place.startDaemon({ COMPILE_CACHE_REFRESH_MIN_PERCENT: "0" });
  const acknowledged: Files = {};
  const tried: Files = {};
  let daemon = await start();
  // The first refresh of a daemon takes much longer than those after it.
  const usualMs: { first?: number; later?: number } = {};
  let turn: "first" | "later" = "first";
  let kills = 0;
  for (let nth = 0; kills < killsEach; nth++) {
    assert.ok(nth < mostRefreshes, "no kill came in time");
    const files = many(`${machine}/${nth}`, filesEach);
    const localDir = join(place.allowed, `${machine}-${nth}`);
    write(localDir, files);
    Object.assign(tried, files);
    const startedAt = performance.now();
    const saving = daemon.client
      .save({ environment, localDir, ifStoredExists: "refresh" })
      .then(({ status }) => status)
      .catch(() => "killed" as const);
    // One is let alone, so that there is something to lose.
    const known = usualMs[turn];
    const killAtMs = known === undefined ? longEnoughMs : Math.random() * 2 * known;
    const pause = sleep(killAtMs, undefined, { ref: false });
    if ((await Promise.race([saving, pause])) === undefined) daemon.child.kill("SIGKILL");
    const status = await saving;
    if (status !== "killed") {
      assert.equal(status, "success");
      Object.assign(acknowledged, files);
      usualMs[turn] = performance.now() - startedAt;
      turn = "later";
    }
    if (daemon.child.killed) {
      if (status === "killed") kills += 1;
      await daemon.ended;
      daemon = await start();
      turn = "first";
    } else assert.notEqual(status, "killed");
  }
  return { acknowledged, tried };
}
