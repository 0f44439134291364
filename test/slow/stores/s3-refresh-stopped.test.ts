import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { ObjectServer } from "../../../fixtures/object-server.ts";
import { createTestPlace, environment, type TestDaemon } from "../../support/daemon/daemons.ts";
import { leavesOut } from "../../support/machine/tools.ts";
import { countUploadsTo, listKeys } from "../../support/s3/bucket-content.ts";
import { isCommit, startHoldingProxy } from "../../support/s3/holding-proxy.ts";
import { objectServerForSuite } from "../../support/s3/object-server.ts";
import { contents, many, write } from "../../support/trees/refresh-trees.ts";

const mebibyte = 1024 * 1024;

type Files = Record<string, string | Buffer>;

/** What happens to a refresh, at its commit or just after, while others refresh the cache too. */
interface Fate {
  readonly what: string;
  readonly at: "call" | "answer";
  /** The signal that its daemon gets; none if the answer is lost. */
  readonly signal?: "SIGSTOP" | "SIGKILL";
  /** Whether its files are in the refreshes after it, and in the end. */
  readonly isStored: { readonly meanwhile: boolean; readonly atLast: boolean };
  /** The status that its caller gets; undefined if none. */
  readonly status?: "success" | "skipped";
}

const fates: Fate[] = [
  {
    what: "that stands still as it commits is refused by the store, and compares again",
    at: "call",
    signal: "SIGSTOP",
    isStored: { meanwhile: false, atLast: true },
    status: "success",
  },
  {
    what: "that stands still as it has committed is in those after it, and takes nothing back",
    at: "answer",
    signal: "SIGSTOP",
    isStored: { meanwhile: true, atLast: true },
    // By then other archives are there, which have its files: a server's word alone is no success.
    status: "skipped",
  },
  {
    what: "that is killed as it commits, and whose commit comes late, replaces nothing",
    at: "call",
    signal: "SIGKILL",
    isStored: { meanwhile: false, atLast: false },
  },
  {
    what: "that is killed as it has committed is in those after it",
    at: "answer",
    signal: "SIGKILL",
    isStored: { meanwhile: true, atLast: true },
  },
  {
    what: "that is never told that it has committed finds itself in those after it",
    at: "answer",
    isStored: { meanwhile: true, atLast: true },
    status: "skipped",
  },
];

async function testFate(
  t: TestContext,
  server: ObjectServer,
  { prefix, baseBytes, fate }: { prefix: string; baseBytes: number; fate: Fate },
): Promise<void> {
  const { at, signal, isStored, status } = fate;
  const place = await createTestPlace(t);
  const proxy = await startHoldingProxy(t, server.port);
  const start = (endpoint?: string) =>
    place.startDaemon({
      ...server.variables(prefix, endpoint),
      COMPILE_CACHE_REFRESH_MIN_PERCENT: "0",
    });
  const [slow, one, two] = await Promise.all([start(proxy.endpoint), start(), start()]);
  const save = ({ client }: TestDaemon, name: string, files: Files) => {
    const localDir = join(place.allowed, name);
    write(localDir, files);
    return client.save({ environment, localDir, ifStoredExists: "refresh" });
  };
  const refresh = async (daemon: TestDaemon, name: string, files: Files = many(name, 4)) => {
    const { status, cache } = await save(daemon, name, files);
    assert.equal(status, "success");
    stored.set(name, files);
    return cache;
  };
  /** The files of each refresh that is stored. */
  const stored = new Map<string, Files>();
  let loads = 0;
  const requireStored = async () => {
    const localDir = join(place.allowed, `loaded-${loads++}`);
    assert.equal((await one.client.load({ environment, localDir })).status, "success");
    const found = contents(localDir);
    const expected: Files = Object.assign({}, ...stored.values());
    assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort());
    for (const [name, content] of Object.entries(expected))
      assert.ok(found[name] === Buffer.from(content).toString("latin1"), name);
  };

  await refresh(one, "base", { "base/noise.bin": randomBytes(baseBytes) });
  const commit = proxy.hold(isCommit, at);
  const slowFiles = many("slow", 4);
  const saving = save(slow, "slow", slowFiles).catch(() => undefined);
  await commit.reached;
  if (signal) slow.child.kill(signal);
  if (isStored.meanwhile) stored.set("slow", slowFiles);
  await requireStored();
  await Promise.all([refresh(one, "one"), refresh(two, "two")]);
  await requireStored();

  if (signal) await commit.release();
  else commit.lose();
  if (signal === "SIGSTOP") slow.child.kill("SIGCONT");
  assert.equal((await saving)?.status, status);
  if (isStored.atLast) stored.set("slow", slowFiles);
  await requireStored();

  const cache = await refresh(two, "next");
  await requireStored();
  assert.equal(cache?.generation, stored.size);
  const key = `${prefix}/default/${cache?.filename}`;
  const keys = await listKeys(server);
  assert.deepEqual(
    keys.filter((each) => each.startsWith(`${prefix}/`)),
    [key],
  );
  const isAbandoned = signal === "SIGKILL" && at === "call" && baseBytes > mebibyte;
  assert.equal(await countUploadsTo(server, key), isAbandoned ? 1 : 0);
}

for (const name of ["versitygw", "minio"] as const)
  describe(`over ${name}`, { skip: leavesOut(name) ?? false, concurrency: 2 }, () => {
    const server = objectServerForSuite(name);
    for (const [how, baseBytes] of [
      ["one request", 1000],
      ["parts", 6 * mebibyte],
    ] as const)
      for (const [n, fate] of fates.entries())
        it(`a refresh in ${how} ${fate.what}`, (t) => {
          const prefix = `${how.replace(" ", "-")}-${n}`;
          return testFate(t, server(), { prefix, baseBytes, fate });
        });
  });
