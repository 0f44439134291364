// The commands that work on the store itself: keygen, sign, verify, gc.
import assert from "node:assert/strict";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createCacheClient } from "compilecache-client";
import { makeCache } from "../../../fixtures/make-cache.ts";
import type { SettingKey } from "../../../server/src/config/settings.ts";
import { callCli } from "../../support/cli/call-cli.ts";
import { startCli } from "../../support/cli/run-cli.ts";
import { startTestDaemon } from "../../support/daemon/daemon-in-process.ts";
import { createTestPlace, environment, namesIn } from "../../support/daemon/daemons.ts";

/** A store, a local directory with a small cache, and `run`, which runs a command on the store. */
async function createPlace(t: TestContext) {
  const place = await createTestPlace(t);
  const localDir = join(place.allowed, "cache");
  makeCache(localDir, { scale: 0.002 });
  const dir = dirname(place.store);
  const run = (...args: string[]) => callCli([...args, "--store", `file://${place.store}`]);
  const keygen = (name: string) => callCli(["keygen", join(dir, name)]);
  const rows = async (...args: string[]) => {
    const { stdout, stderr } = await run(...args, "--json");
    assert.equal(stderr, "");
    return stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  };
  /** A client of a daemon in this process, for what needs no signals. */
  const startHere = async (settings: Partial<Record<SettingKey, string>> = {}) => {
    const { address } = await startTestDaemon(t, {
      ...{ store: `file://${place.store}`, torchCacheDir: localDir, allowedDirs: localDir },
      ...settings,
    });
    const client = createCacheClient({ address });
    t.after(() => client.close());
    return { client, address };
  };
  return { ...place, dir, localDir, run, rows, keygen, startHere };
}

describe("signing as a team sets it up", () => {
  it("goes from keys to signed loads, and on to the next key", async (t) => {
    const { dir, localDir, startDaemon, startHere, run, rows, keygen } = await createPlace(t);
    const made = await keygen("team");
    const id = /^key ([0-9a-f]{16})$/m.exec(made.stdout)?.[1];
    assert.ok(id, made.stderr);
    assert.match(made.stdout, /^Next: compilecache sign --signing-key \S+team\.key signs /m);
    assert.equal(statSync(join(dir, "team.key")).mode & 0o777, 0o600);
    await keygen("next");

    const { client: unsigned } = await startHere();
    await unsigned.save({ environment, localDir });
    const trusting = await startDaemon({ COMPILE_CACHE_TRUSTED_KEYS: join(dir, "team.pub") });
    const load = () =>
      trusting.client.load({ environment, localDir, ifLocalExists: "replace", detach: false });
    const isUntrusted = (error: unknown) =>
      (error as { reason?: string }).reason === "ARCHIVE_UNTRUSTED";
    await assert.rejects(load, isUntrusted);
    const before = await run("verify", "--trusted-keys", join(dir, "team.pub"));
    assert.equal(before.exitCode, 1);
    assert.match(
      before.stdout,
      /default\/cache_\S+: the archive is not signed, .*ARCHIVE_UNTRUSTED/,
    );

    const signed = await run("sign", "--signing-key", join(dir, "team.key"));
    assert.match(signed.stdout, /^default\/cache_\S+: signed$/m);
    assert.match(signed.stdout, /^1 of 1 are signed by this key; .*--trusted-keys/m);
    const again = await run("sign", "--signing-key", join(dir, "team.key"));
    assert.match(again.stdout, /: is signed$/m);
    assert.equal((await load()).status, "success");
    const [row] = await rows("verify", "--trusted-keys", join(dir, "team.pub"));
    assert.deepEqual([row.sound, row.signed_by], [true, id]);
    const unchecked = await run("verify");
    assert.match(
      unchecked.stdout,
      new RegExp(`, not checked whether signed by ${id}\n1 sound, 0 not`),
    );

    // Of what nobody has signed nothing is to be vouched for on the way.
    await unsigned.save({ environment, localDir, namespace: "planted" });
    const rotation = [
      "--signing-key",
      join(dir, "next.key"),
      "--trusted-keys",
      join(dir, "team.pub"),
    ];
    const rotated = await run("sign", ...rotation);
    assert.equal(rotated.exitCode, 1);
    assert.match(
      rotated.stdout,
      /^default\/\S+: signed\nplanted\/\S+: the archive is not signed, /,
    );
    await assert.rejects(load, isUntrusted);
    writeFileSync(join(dir, "team.pub"), readFileSync(join(dir, "next.pub")));
    trusting.child.kill("SIGHUP");
    await trusting.line("the configuration's files were read again");
    assert.equal((await load()).status, "success");
  });

  it("shows who saved and signed a cache, and from what", async (t) => {
    const { dir, localDir, startHere, keygen } = await createPlace(t);
    await keygen("team");
    const { client, address } = await startHere({
      signingKey: join(dir, "team.key"),
      saver: "builder-7",
      revision: `sha256:${"0f".repeat(32)}`,
    });
    const { cache } = await client.save({ environment, localDir });
    assert.equal(cache?.saver, "builder-7");
    assert.match(cache?.signedBy ?? "", /^[0-9a-f]{16}$/);
    const target = ["--address", address, "--torch", environment.torchVersion, "--dir", localDir];
    const info = await callCli(["info", ...target]);
    const told = `by builder-7, from sha256:${"0f".repeat(32)}, signed by ${cache?.signedBy}`;
    assert.ok(info.stdout.includes(told), info.stdout);
    const listed = await callCli(["ls", "--address", address]);
    assert.match(listed.stdout, / BY +FROM +SIGNED BY +ENVIRONMENT\n.* builder-7 +sha256:0f0f/);
  });

  it("says which keys count, at the start and once they were read again", async (t) => {
    const { dir, startDaemon, keygen } = await createPlace(t);
    const idOf = async (name: string) => (await keygen(name)).stdout.slice(4, 20);
    const [team, next] = [await idOf("team"), await idOf("next")];
    const trusted = join(dir, "team.pub");
    const daemon = await startDaemon({ COMPILE_CACHE_TRUSTED_KEYS: trusted });
    const told = () => daemon.line("keys of caches");
    assert.deepEqual((await told()).trusts, [team]);
    const both = readFileSync(trusted, "utf8") + readFileSync(join(dir, "next.pub"), "utf8");
    writeFileSync(trusted, both);
    daemon.child.kill("SIGHUP");
    await daemon.line("the configuration's files were read again");
    const lines = daemon.lines.filter(({ message }) => message === "keys of caches");
    assert.deepEqual(lines.at(-1)?.trusts, [team, next]);
    // A file that was written by half leaves all as it was.
    writeFileSync(trusted, both.slice(0, -30));
    daemon.child.kill("SIGHUP");
    const { reason } = await daemon.line("the configuration stays as it was");
    assert.match(String(reason), /--trusted-keys|COMPILE_CACHE_TRUSTED_KEYS/);
  });

  it("replaces no key, and leaves no half of a pair", async (t) => {
    const { dir, keygen } = await createPlace(t);
    writeFileSync(join(dir, "one.key"), "mine");
    writeFileSync(join(dir, "two.pub"), "mine");
    for (const name of ["one", "two"]) {
      const { exitCode, stderr } = await keygen(name);
      assert.equal(exitCode, 1);
      assert.match(
        stderr,
        /^compilecache: no keys were made: .*\/(one\.key|two\.pub) is there already/m,
      );
    }
    assert.deepEqual(namesIn(dir), ["local", "one.key", "two.pub"]);
  });
});

describe("verify", () => {
  it("tells what was set aside as damaged, and when that goes, as gc does", async (t) => {
    const { store, localDir, run, rows, startHere } = await createPlace(t);
    const { client } = await startHere();
    const { cache } = await client.save({ environment, localDir });
    const path = join(store, "default", cache?.filename ?? "");
    const bytes = readFileSync(path);
    bytes.fill(0, 100, 200);
    writeFileSync(path, bytes);
    const load = () => client.load({ environment, localDir, ifLocalExists: "replace" });
    await assert.rejects(load, { reason: "ARCHIVE_CORRUPT" });
    await client.save({ environment, localDir });
    const aside =
      /^default\/\.\S+: set aside as damaged, [\d.]+ \w+; gc removes it from \d{4}-\d\d-\d\d \d\d:\d\d UTC on$/m;
    const verified = await run("verify");
    assert.equal(verified.exitCode, 0);
    assert.match(verified.stdout, aside);
    assert.match(verified.stdout, /^1 sound, 0 not, 1 set aside, in file:/m);
    assert.match((await run("gc")).stdout, aside);
    assert.doesNotMatch((await run("verify", "--namespace", "other")).stdout, /set aside/);
    // A line for each archive, as it was.
    assert.equal((await rows("verify")).length, 1);
  });

  it("is interrupted by SIGTERM, as in a job that is stopped", async (t) => {
    const { store, localDir, startHere } = await createPlace(t);
    const { client } = await startHere();
    const { cache } = await client.save({ environment, localDir });
    const filename = cache?.filename ?? "";
    for (let n = 0; n < 3000; n++) {
      mkdirSync(join(store, `copy-${n}`));
      linkSync(join(store, "default", filename), join(store, `copy-${n}`, filename));
    }
    const { child, ended, shown } = startCli(["verify", "--store", `file://${store}`]);
    await shown(/\n/);
    child.kill("SIGTERM");
    const { exitCode, stderr } = await ended;
    assert.deepEqual([exitCode, stderr], [130, "compilecache: interrupted\n"]);
  });
});

describe("gc", () => {
  const daysAgo = (days: number) => new Date(Date.now() - days * 24 * 3_600_000);

  async function placeWithCaches(t: TestContext) {
    const place = await createPlace(t);
    const { client } = await place.startHere();
    const ages = { "team-a": 40, "team-b": 20, default: 0 };
    for (const [namespace, days] of Object.entries(ages)) {
      const { cache } = await client.save({ namespace, environment, localDir: place.localDir });
      const path = join(place.store, namespace, cache?.filename ?? "");
      if (days > 0) utimesSync(path, daysAgo(days), daysAgo(days));
    }
    const left = () =>
      Object.keys(ages).filter((namespace) => namesIn(join(place.store, namespace)).length > 0);
    return { ...place, client, left };
  }

  it("shows what would go, and removes it when told to", async (t) => {
    const { run, left } = await placeWithCaches(t);
    const shown = await run("gc", "--gc-max-age", "10d");
    assert.match(shown.stdout, /^bounds: written within 10 d; what is younger than 1 h stays\n/);
    assert.match(shown.stdout, /^planned age .* team-a\/cache_\S+ \(written /m);
    assert.match(shown.stdout, /^2 files, .* would be removed: add --delete$/m);
    assert.deepEqual(left(), ["team-a", "team-b", "default"]);
    const removed = await run("gc", "--gc-max-age", "10d", "--delete");
    assert.match(removed.stdout, /^2 files, .* removed$/m);
    assert.deepEqual(left(), ["default"]);
  });

  it("looks at one namespace where that is named, and says that there is none of that name", async (t) => {
    const { run, left } = await placeWithCaches(t);
    for (const command of ["gc", "verify"]) {
      const { stderr, exitCode } = await run(command, "--namespace", "absent");
      assert.equal(exitCode, 0);
      assert.match(stderr, /the store holds no archives of the namespace absent$/m);
    }
    await run("gc", "--gc-max-age", "10d", "--namespace", "team-b", "--delete");
    assert.deepEqual(left(), ["team-a", "default"]);
  });

  it("goes by the last load", async (t) => {
    const { rows, client, localDir } = await placeWithCaches(t);
    const policy = { ifLocalExists: "replace", localDir, environment } as const;
    await client.load({ ...policy, namespace: "team-a" });
    for (;;) {
      const idle = await rows("gc", "--gc-max-idle", "10d");
      const paths = idle.map(({ path }) => path.split("/")[0]);
      if (paths.join() === "team-b") break;
      assert.deepEqual(paths, ["team-a", "team-b"], "the note of a use comes a moment later");
    }
  });

  it("holds each namespace to its quota, and spares what was just written", async (t) => {
    const { run, left } = await placeWithCaches(t);
    const { stdout } = await run("gc", "--gc-quotas", "team-a=1B,*=1B", "--delete");
    assert.match(stdout, /^kept though over a bound: 1 file too young \(--gc-keep\)$/m);
    assert.deepEqual(left(), ["default"]);
  });

  it("says what is wrong with a bound, and that a store is not there", async (t) => {
    const { run, store } = await createPlace(t);
    for (const [flag, text, words] of [
      ["--gc-max-age", "soon", /--gc-max-age: "soon" /],
      ["--gc-max-bytes", "-1", /--gc-max-bytes: "-1" /],
      ["--gc-quotas", "team-a", /--gc-quotas: "team-a" /],
    ] as const) {
      const { exitCode, stderr } = await run("gc", flag, text);
      assert.equal(exitCode, 2);
      assert.match(stderr, words);
    }
    rmSync(store, { recursive: true, force: true });
    for (const command of ["gc", "verify", "sign"]) {
      const { exitCode, stderr } = await run(command);
      assert.equal(exitCode, 1, command);
      assert.ok(stderr.includes(store), stderr);
    }
    assert.ok(!existsSync(store), "an empty one would pass for the store");
  });
});
