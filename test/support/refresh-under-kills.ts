import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createTestPlace, environment, namesIn, type TestPlace } from "./daemon/daemons.ts";
import { contents, many, write } from "./trees/refresh-trees.ts";

type Files = Record<string, string>;

/** A store that machines share, where it is not the file store of the test's place. */
export interface SharedStore {
  /** What tells a daemon to use it. */
  readonly variables: Record<string, string>;
  /** Requires that it holds this archive, and beside it no more than so many killed saves may leave. */
  requireTidy(archive: string, kills: number): Promise<void>;
}

/** What one machine was told is stored, and all that it tried to store. */
interface Outcome {
  readonly acknowledged: Files;
  readonly tried: Files;
}

const filesEach = 4;
/** A machine whose daemon is never hit in so many refreshes tests nothing. */
const mostRefreshes = 200;

/**
 * Has machines, each with a daemon of its own, refresh one cache in a store, and kills each daemon so
 * often, at random, while it is at that. Requires that no file of a refresh that succeeded is lost,
 * that of the others all files are there or none, and that the next refresh works. There is a cache
 * of `baseBytes` already, which do not compress.
 */
export async function convergeUnderKills(
  t: TestContext,
  {
    machines,
    killsEach,
    baseBytes = 0,
    store,
  }: { machines: number; killsEach: number; baseBytes?: number; store?: SharedStore },
): Promise<void> {
  const place = await createTestPlace(t);
  const { variables, requireTidy } = store ?? fileStoreOf(place);
  const startDaemon = () =>
    place.startDaemon({ ...variables, COMPILE_CACHE_REFRESH_MIN_PERCENT: "0" });
  const { client } = await startDaemon();
  const refresh = async (name: string, files: Record<string, string | Buffer>) => {
    const localDir = join(place.allowed, name);
    write(localDir, files);
    return client.save({ environment, localDir, ifStoredExists: "refresh" });
  };
  const base = baseBytes === 0 ? {} : noise("base", baseBytes);
  if (baseBytes > 0) assert.equal((await refresh("base", base)).status, "success");
  const before: Files = Object.fromEntries(
    Object.entries(base).map(([name, content]) => [name, content.toString("latin1")]),
  );

  const running = Array.from({ length: machines }, (_, i) =>
    refreshAgain(place, startDaemon, i, killsEach),
  );
  const outcomes = await Promise.all(running);
  const acknowledged: Files = Object.assign({}, before, ...outcomes.map((o) => o.acknowledged));
  const tried: Files = Object.assign({}, before, ...outcomes.map((o) => o.tried));

  let loads = 0;
  const load = async () => {
    const localDir = join(place.allowed, `loaded-${loads++}`);
    assert.equal((await client.load({ environment, localDir })).status, "success");
    return contents(localDir);
  };
  const stored = await load();
  const { stored: cache } = await client.getCacheInfo({ environment, localDir: place.allowed });
  const { filename = "", generation = 0, archiveBytes } = cache ?? {};
  const count = (files: Files) => Object.keys(files).length / filesEach;
  t.diagnostic(
    `${count(tried)} refreshes, ${count(acknowledged)} acknowledged, ${count(stored)} stored, generation ${generation}, ${archiveBytes} bytes`,
  );

  const lost = Object.keys(acknowledged).filter((name) => stored[name] === undefined);
  assert.deepEqual(lost, []);
  const ofRefresh = new Map<string, number>();
  for (const [name, content] of Object.entries(stored)) {
    assert.ok(content === tried[name], `${name} is not what was saved`);
    ofRefresh.set(dirname(name), (ofRefresh.get(dirname(name)) ?? 0) + 1);
  }
  for (const [refresh, files] of ofRefresh) assert.equal(files, filesEach, refresh);
  assert.ok(generation >= count(acknowledged), `generation ${generation}`);
  await requireTidy(filename, machines * killsEach);

  const next = many("next", filesEach);
  assert.equal((await refresh("next", next)).status, "success");
  const all = await load();
  assert.deepEqual(Object.keys(all).sort(), Object.keys({ ...stored, ...next }).sort());
  await requireTidy(filename, machines * killsEach);
}

function fileStoreOf({ store }: TestPlace): SharedStore {
  return {
    variables: {},
    async requireTidy(archive) {
      const visible = namesIn(join(store, "default")).filter((name) => !name.startsWith("."));
      assert.deepEqual(visible, [archive]);
    },
  };
}

function noise(prefix: string, bytes: number): Record<string, Buffer> {
  const names = Object.keys(many(prefix, filesEach));
  return Object.fromEntries(names.map((name) => [name, randomBytes(bytes / filesEach)]));
}

/**
 * Refreshes the cache again and again, each time from a directory of files that nobody else has and
 * that is never saved again, so that nothing that was lost can come back.
 */
async function refreshAgain(
  place: TestPlace,
  start: TestPlace["startDaemon"],
  machine: number,
  killsEach: number,
): Promise<Outcome> {
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
    // The first of each kind is let alone, so that there is something to lose.
    const known = usualMs[turn];
    if (known !== undefined) {
      const pause = sleep(Math.random() * 2 * known, undefined, { ref: false });
      if ((await Promise.race([saving, pause])) === undefined) daemon.child.kill("SIGKILL");
    }
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
