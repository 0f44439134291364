// `compilecache gc --delete` and `compilecache sign`, killed at each system call that changes the store.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { launcher } from "../../../fixtures/daemon-process.ts";
import {
  generateKeys,
  parseSigningKey,
  parseTrustedKeys,
} from "../../../server/src/signing/keys.ts";
import { Trust } from "../../../server/src/signing/trust.ts";
import { collectGarbage } from "../../../server/src/upkeep/gc.ts";
import { defaultGcPolicy } from "../../../server/src/upkeep/gc-plan.ts";
import { verifyArchive } from "../../../server/src/upkeep/verify.ts";
import { startProgram } from "../../support/cli/run-cli.ts";
import {
  type KillPoint,
  killedAt,
  pointsIn,
  recordedIn,
  whyUntraceable,
} from "../../support/crash/kill-points.ts";
import { onePoolThread } from "../../support/crash/one-pool-thread.ts";
import { createFlowBench, namespace } from "../../support/flow-bench.ts";
import { contents, many, write } from "../../support/trees/refresh-trees.ts";

const untraceable = whyUntraceable();
if (untraceable) throw new Error(untraceable);

const { signingKey, trustedKey } = generateKeys();
const key = parseSigningKey(signingKey);
const trusted = parseTrustedKeys(trustedKey);
const whole = { ...many("a", 3), ...many("b", 3), ...many("c", 3) };
const { signal } = new AbortController();

/** A store whose archive was refreshed twice and used, long ago; and the note of one that is gone. */
async function createScene(t: TestContext) {
  const bench = await createFlowBench(t);
  for (const [name, policy] of [
    ["a", "SKIP"],
    ["b", "REFRESH"],
    ["c", "REFRESH"],
  ] as const) {
    write(bench.localDir, many(name, 3));
    assert.equal((await bench.save({ policy })).status, "SUCCESS");
  }
  const archive = bench.archivePath();
  const filename = archive.slice(dirname(archive).length + 1);
  const gone = filename.replace(/_[0-9a-f]{12}/, "_0123456789ab");
  for (const name of [filename, gone])
    await bench.store.noteUse({ namespace, filename: name, modifiedAt: new Date(0) });
  const store = join(bench.dir, "store");
  for (const name of readdirSync(join(store, namespace)))
    if (!name.endsWith(".generations"))
      utimesSync(join(store, namespace, name), new Date(0), new Date(1e9));
  const template = join(bench.dir, "template");
  execFileSync("cp", ["-a", store, template]);
  const keyFile = join(bench.dir, "key.pem");
  writeFileSync(keyFile, signingKey, { mode: 0o600 });
  return {
    bench,
    store,
    /** Makes the store as it was, and runs the command on it below another that traces it. */
    async run(tracer: readonly string[], args: readonly string[]) {
      rmSync(store, { recursive: true });
      execFileSync("cp", ["-a", template, store]);
      const [program = "", ...more] = [...tracer, process.execPath, launcher, ...args];
      const { child, ended } = startProgram(program, more, {
        ...onePoolThread,
        COMPILE_CACHE_STORE: `file://${store}`,
        COMPILE_CACHE_SIGNING_KEY: keyFile,
      });
      const { exitCode, stderr } = await ended;
      return { exitCode, stderr, wasKilled: child.signalCode === "SIGKILL" };
    },
  };
}

type Scene = Awaited<ReturnType<typeof createScene>>;

/** Kills the command at each point that it passes from a certain one on, and looks what is left. */
async function killAtEach(
  t: TestContext,
  args: readonly string[],
  from: (point: KillPoint) => boolean,
  look: (scene: Scene) => Promise<void>,
): Promise<void> {
  const scene = await createScene(t);
  const log = join(scene.bench.dir, "strace.log");
  const { exitCode, stderr } = await scene.run(recordedIn(log), args);
  assert.equal(exitCode, 0, stderr);
  const all = pointsIn(log);
  const points = all.slice(all.findIndex(from));
  assert.ok(points.length > 5, "there is nothing to kill at");
  for (const point of points)
    await t.test(`at ${point.syscall} ${point.nth}: ${point.seen}`, async () => {
      const { wasKilled } = await scene.run(killedAt(point), args);
      assert.ok(wasKilled, "the command did not come to this point");
      await look(scene);
    });
}

/** Requires that each archive is sound; returns whether a load brings the whole cache, or none. */
async function isThere({ bench }: Scene, signing = {}): Promise<boolean> {
  const { store, workers, limits, logger } = bench.context;
  const upkeep = { store, work: workers.under(signal), limits, trust: new Trust(signing), logger };
  for (const name of await store.list(undefined)) {
    const reading = verifyArchive(upkeep, name, signal);
    for (;;) {
      const { done, value } = await reading.next();
      if (!done) continue;
      assert.equal(value?.error, undefined);
      break;
    }
  }
  const into = join(bench.dir, "loaded");
  rmSync(into, { recursive: true, force: true });
  const { status } = await bench.load({ into });
  if (status === "DOES_NOT_EXIST") return false;
  assert.equal(status, "SUCCESS");
  assert.deepEqual(contents(into), whole);
  return true;
}

/** What gc leaves of it, if nothing that was left behind is too young to go. */
async function filesAfterGc({ bench, store }: Scene, maxFiles?: number): Promise<string[]> {
  const bound = maxFiles === undefined ? {} : { maxFiles };
  const policy = { ...defaultGcPolicy, ...bound, unfinishedMs: -60_000 };
  const options = { dryRun: false };
  // A file of two names has changed once one of them is removed.
  for (const results of [/^(removed|changed)$/, /^removed$/])
    for await (const { result } of collectGarbage(bench.context, policy, options, signal))
      assert.match(result, results);
  return Object.keys(contents(store));
}

describe("a command that is killed at any system call which changes a store", {
  concurrency: 2,
}, () => {
  it("of gc leaves the archive, or none, and the next gc does the rest", (t) => {
    let kept = 0;
    let removed = 0;
    const bounds = ["--gc-max-files", "0", "--gc-keep", "1h"];
    const args = ["gc", "--delete", ...bounds];
    const isAny = () => true;
    return killAtEach(t, args, isAny, async (scene) => {
      if (await isThere(scene)) kept += 1;
      else removed += 1;
      assert.deepEqual(await filesAfterGc(scene, 0), []);
      assert.equal(await isThere(scene), false);
    }).then(() => assert.ok(kept > 0 && removed > 0, `${kept} kept, ${removed} removed`));
  });

  it("of sign leaves the archive as it was, or signed, and the next sign does the rest", (t) => {
    // What it does before, it does as a save: crash.test.ts.
    const isWrite = ({ syscall }: KillPoint) => syscall === "pwrite64";
    return killAtEach(t, ["sign"], isWrite, async (scene) => {
      assert.ok(await isThere(scene));
      const { bench } = scene;
      const name = bench.archivePath().slice(join(scene.store, namespace).length + 1);
      const { store, workers, limits, logger } = bench.context;
      const { signArchive } = await import("../../../server/src/upkeep/sign.ts");
      const upkeep = { store, work: workers.under(signal), limits, trust: new Trust({ key }) };
      const signing = signArchive({ ...upkeep, logger }, { namespace, filename: name }, signal);
      for (;;) {
        const { done, value } = await signing.next();
        if (!done) continue;
        assert.match(String(value), /^(signed|is signed)$/);
        break;
      }
      assert.ok(await isThere(scene, { trusted }));
      const left = await filesAfterGc(scene);
      const strange = left.filter((file) => !/\.(tar\.zst|used)$|\.generations\/\d+$/.test(file));
      assert.deepEqual(strange, []);
      assert.ok(await isThere(scene, { trusted }));
    });
  });
});
