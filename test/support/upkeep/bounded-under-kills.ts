import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CacheServiceError } from "compilecache-client";
import { generateKeys } from "../../../server/src/signing/keys.ts";
import type { Store, StoredFile } from "../../../server/src/store/store.ts";
import { collectGarbage } from "../../../server/src/upkeep/gc.ts";
import { defaultGcPolicy } from "../../../server/src/upkeep/gc-plan.ts";
import { runCli, startCli } from "../cli/run-cli.ts";
import { createTestPlace, type TestDaemon, type TestPlace } from "../daemon/daemons.ts";
import { requireWhole, type TaggedCache, writeSave } from "./tagged-caches.ts";

const keepMs = 4_000;
/** Object stores tell the seconds of a time alone, and their clock may be as much behind again. */
const tickMs = 1_000;
const quotaBytes = 20_000;
const daemons = 3;
const killsOfDaemons = 3;
const killsOfCommands = 3;

const caches: readonly TaggedCache[] = ["team-a", "team-b"].flatMap((namespace) =>
  ["2.1.0", "2.2.0", "2.3.0"].map((torchVersion) => ({ namespace, environment: { torchVersion } })),
);

/** Where the caches of a test lie. */
export interface BoundedStore {
  /** What tells a daemon, or a command, to use it. */
  readonly variables: Record<string, string>;
  open(): Promise<Store>;
}

type Counts = Record<
  "saved" | "loaded" | "missed" | "unavailable" | "removed" | "verified",
  number
>;

/**
 * Has daemons save, refresh and load signed caches in one store while each sees to its bounds, and
 * commands collect, verify and sign beside them; daemons and commands are killed at random. Requires
 * that each load is a whole cache or none, that what is young stays, that all that is there is sound
 * and signed, and that in the end the store is within its bounds.
 */
export async function stayBoundedUnderKills(
  t: TestContext,
  storeOf: (place: TestPlace) => BoundedStore,
): Promise<void> {
  const place = await createTestPlace(t);
  const { variables, open } = storeOf(place);
  const keys = writeKeys(dirname(place.store));
  const settings = (key: number) => ({
    ...variables,
    COMPILE_CACHE_SIGNING_KEY: keys.signing[key] as string,
    COMPILE_CACHE_TRUSTED_KEYS: keys.trusted.join(","),
    COMPILE_CACHE_GC_QUOTAS: `team-*=${quotaBytes}B`,
    COMPILE_CACHE_GC_KEEP: `${keepMs / 1000}s`,
  });
  const counts: Counts = {
    ...{ saved: 0, loaded: 0, missed: 0 },
    ...{ unavailable: 0, removed: 0, verified: 0 },
  };
  const done = new AbortController();
  const start = (key: number) =>
    place.startDaemon({
      ...settings(key),
      COMPILE_CACHE_GC_EVERY: "1s",
      COMPILE_CACHE_REFRESH_MIN_PERCENT: "0",
    });
  const running = Array.from({ length: daemons }, (_, n) =>
    workUntil(done.signal, place, () => start(n % 2), `${n}`, counts),
  );
  const commands = Promise.all([
    runCommands(settings(0), ["gc", "--delete", "--json"], counts),
    runCommands(settings(1), ["sign", "--json"], counts),
    runCommands(settings(0), ["verify", "--json"], counts),
  ]);
  try {
    await Promise.race([commands, Promise.all(running).then(() => commands)]);
  } finally {
    done.abort();
  }
  await Promise.all(running);

  await requireCommand(settings(0), ["gc", "--delete", "--json"], counts);
  await requireCommand(settings(0), ["verify", "--json"], counts);
  t.diagnostic(JSON.stringify(counts));
  for (const [what, count] of Object.entries(counts))
    assert.ok(count > 0 || what === "unavailable", `nothing was ${what}`);
  await requireBounds(await open());
  const last = await start(0);
  for (const cache of caches) await loadOnce(place, last, cache, "last", counts);
}

/** Two keys, of which one takes over from the other. */
function writeKeys(dir: string) {
  const pairs = [generateKeys(), generateKeys()];
  const put = (name: string, pem: string) => {
    writeFileSync(join(dir, name), pem, { mode: 0o600 });
    return join(dir, name);
  };
  return {
    signing: pairs.map(({ signingKey }, n) => put(`signing-${n}.pem`, signingKey)),
    trusted: pairs.map(({ trustedKey }, n) => put(`trusted-${n}.pem`, trustedKey)),
  };
}

/** Has one daemon save and load until that is aborted; kills it some times, and starts it again. */
async function workUntil(
  signal: AbortSignal,
  place: TestPlace,
  start: () => Promise<TestDaemon>,
  name: string,
  counts: Counts,
): Promise<void> {
  let kills = 0;
  let daemon = await start();
  for (let nth = 0; !signal.aborted; nth++) {
    const isLast = kills >= killsOfDaemons || nth % 5 !== 4;
    const killed = isLast
      ? undefined
      : sleep(Math.random() * 300).then(() => daemon.end("SIGKILL"));
    await saveAndLoad(place, daemon, `${name}-${nth}`, counts).catch((error: unknown) => {
      if (!killed || error instanceof assert.AssertionError) throw error;
    });
    await killed;
    if (killed) {
      kills += 1;
      countRemoved(daemon, counts);
      daemon = await start();
    }
  }
  // It goes on seeing to the store's bounds.
  await sleep(keepMs + 4 * tickMs);
  countRemoved(daemon, counts);
  await daemon.end();
}

function countRemoved({ lines }: TestDaemon, counts: Counts): void {
  const said = "removed a file from the store";
  counts.removed += lines.filter(({ message }) => message === said).length;
}

async function saveAndLoad(
  place: TestPlace,
  daemon: TestDaemon,
  id: string,
  counts: Counts,
): Promise<void> {
  const pick = () => caches[Math.floor(Math.random() * caches.length)] as TaggedCache;
  const cache = pick();
  const localDir = join(place.allowed, `save-${id}`);
  mkdirSync(localDir, { recursive: true });
  writeSave(localDir, cache, id);
  const policies = ["skip", "refresh", "refresh", "replace"] as const;
  const ifStoredExists = policies[Math.floor(Math.random() * policies.length)] ?? "skip";
  const startedAt = Date.now();
  const saving = daemon.client.save({ ...cache, localDir, ifStoredExists });
  const saved = await unlessUnavailable(saving, counts);
  rmSync(localDir, { recursive: true, force: true });
  const isYoung = () => Date.now() < startedAt + keepMs - 2 * tickMs;
  if (saved?.status === "success") {
    counts.saved += 1;
    // A replacement that comes while its forerunner is removed may be out of sight for a moment.
    for (let tries = 1; ; tries++) {
      const status = await loadOnce(place, daemon, cache, id, counts);
      if (status !== "does_not_exist" || !isYoung()) break;
      assert.ok(tries < 3, "what was just saved is gone");
      await sleep(50);
    }
  }
  await loadOnce(place, daemon, pick(), id, counts);
}

async function loadOnce(
  { allowed }: TestPlace,
  { client }: TestDaemon,
  cache: TaggedCache,
  id: string,
  counts: Counts,
): Promise<string | undefined> {
  const localDir = join(allowed, `load-${id}`);
  rmSync(localDir, { recursive: true, force: true });
  const loaded = await unlessUnavailable(client.load({ ...cache, localDir }), counts);
  if (!loaded) return undefined;
  assert.match(loaded.status, /^(success|does_not_exist)$/);
  if (loaded.status === "success") requireWhole(localDir, cache);
  counts[loaded.status === "success" ? "loaded" : "missed"] += 1;
  rmSync(localDir, { recursive: true, force: true });
  return loaded.status;
}

/** A store may say that others were always faster; that, and nothing else. */
async function unlessUnavailable<T>(call: Promise<T>, counts: Counts): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof CacheServiceError) || !error.reason?.startsWith("ARCHIVE_")) {
      if (!(error instanceof CacheServiceError) || error.reason !== "STORE_UNAVAILABLE")
        throw error;
      counts.unavailable += 1;
      return undefined;
    }
    throw new assert.AssertionError({ message: `${error.reason}: ${error.message}` });
  }
}

/** Runs a command again and again, and kills every other one, at random. */
async function runCommands(
  settings: Record<string, string>,
  args: readonly string[],
  counts: Counts,
): Promise<void> {
  let usualMs = 1_000;
  for (let kills = 0; kills < killsOfCommands; ) {
    const startedAt = performance.now();
    await requireCommand(settings, args, counts);
    usualMs = performance.now() - startedAt;
    const { child, ended } = startCli(args, settings);
    await Promise.race([ended, sleep(usualMs * (0.3 + 0.7 * Math.random()))]);
    if (child.kill("SIGKILL")) kills += 1;
    await ended;
  }
}

async function requireCommand(
  settings: Record<string, string>,
  args: readonly string[],
  counts: Counts,
): Promise<void> {
  const { exitCode, stdout, stderr } = await runCli(args, settings);
  assert.equal(exitCode, 0, `${args[0]}: ${stdout}${stderr}`);
  for (const line of stdout.split("\n").filter((line) => line !== "")) {
    const answer = JSON.parse(line);
    if (answer.sound) counts.verified += 1;
    if (answer.result !== "removed") continue;
    counts.removed += 1;
    const age = Date.now() - Date.parse(answer.modified_at);
    assert.ok(age > keepMs - tickMs, `removed ${answer.path}, ${age} ms old`);
  }
}

/** Perhaps this store's own, which it makes and removes while others are collected. */
const isProbe = ({ path }: StoredFile) => path.startsWith(".probe-");

/** Requires that no namespace is over its quota, and that all that was left behind can go. */
async function requireBounds(store: Store): Promise<void> {
  const { signal } = new AbortController();
  const policy = { ...defaultGcPolicy, unfinishedMs: -60_000, damagedMs: -60_000 };
  for (const results of [/^(removed|changed)$/, /^removed$/])
    for await (const { file, result } of collectGarbage(
      { store },
      policy,
      { dryRun: false },
      signal,
    )) {
      assert.equal(file.kind, "unfinished", `${file.path} was set aside`);
      if (!isProbe(file)) assert.match(result, results);
    }
  const { files } = await store.inventory();
  const bytes = new Map<string, number>();
  for (const file of files) {
    if (isProbe(file)) continue;
    assert.equal(file.kind, "archive", file.path);
    bytes.set(file.namespace, (bytes.get(file.namespace) ?? 0) + file.bytes);
  }
  for (const [namespace, held] of bytes)
    assert.ok(held <= quotaBytes, `${namespace} holds ${held} bytes`);
}
