import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { archiveFormats } from "../../../server/src/domain/cache-id.ts";
import { uncancelled } from "../../../server/src/flows/context.ts";
import { openLocal } from "../../../server/src/flows/held-directories.ts";
import { createAllowedDirs } from "../../../server/src/local/allowed-dirs.ts";
import {
  createFlowBench,
  type FlowBench,
  leftOutOf,
  scratchDir,
} from "../../support/flow-bench.ts";
import { cannotBeNobody, nobody, runAsNobody } from "../../support/machine/as-user.ts";
import { cannotMount, mountTmpfs } from "../../support/machine/mounts.ts";
import { assertNothingOpen } from "../../support/refusal.ts";
import { makeTree, settledAt } from "../../support/trees/trees.ts";

const marker = ".compilecache-not-loaded";

/** A path below a directory whose last part is given byte for byte, one character each. */
const bytesPath = (dir: string, name: string) =>
  Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(name, "latin1")]);

/** The names in a directory, one character for each byte. */
const bytesIn = (dir: string) => readdirSync(dir, { encoding: "latin1" }).sort();

async function clear({ context: { workers }, dir, localDir }: FlowBench) {
  const allowed = createAllowedDirs([{ clientPath: dir, daemonPath: dir }]);
  await using directory = await openLocal(
    workers,
    allowed.resolve(localDir, "local_dir"),
    uncancelled,
  );
  assert.ok(directory);
  return await workers.under(uncancelled).clearDirectory(directory.opened);
}

/** Makes a file that is long finished. */
function old(path: Buffer): void {
  writeFileSync(path, "x");
  utimesSync(path, settledAt, settledAt);
}

/** Mounts for as long as `body` runs. */
async function mounted(mounts: readonly (readonly string[])[], body: () => Promise<void>) {
  const targets = mounts.map((args) => args.at(-1) as string);
  try {
    for (const args of mounts) execFileSync("mount", args);
    await body();
  } finally {
    for (const target of targets) spawnSync("umount", ["-l", target]);
  }
}

describe("names that an archive cannot hold", () => {
  for (const format of archiveFormats)
    it(`are left out and counted, and make no archive that cannot be loaded (${format})`, async (t) => {
      const bench = await createFlowBench(t);
      const { localDir } = bench;
      makeTree(localDir, { "a\ufffd": "its name is UTF-8", fine: "fine" });
      mkdirSync(bytesPath(localDir, "d\xfe"));
      old(bytesPath(localDir, "d\xfe/deep"));
      old(bytesPath(localDir, "a\xff"));
      const saved = await bench.save({ format });
      assert.equal(saved.status, "SUCCESS");
      const twins = format === "tar.zst" ? ["a\ufffd"] : [];
      assert.deepEqual(leftOutOf(saved), { NAME: 3 - twins.length });
      const examples = new Set(saved.leftOut[0]?.examples);
      assert.ok(examples.has("a\\xff") && examples.has("d\\xfe/deep"));
      const into = join(bench.dir, "loaded");
      assert.equal((await bench.load({ into })).status, "SUCCESS");
      assert.deepEqual(readdirSync(into).sort(), ["fine", ...twins].sort());
    });

  it("are removed by a clear, and by a load that replaces", async (t) => {
    const bench = await createFlowBench(t);
    const { localDir } = bench;
    makeTree(localDir, { fine: "fine" });
    await bench.save();
    const spoil = () => {
      mkdirSync(bytesPath(localDir, "d\xfe"));
      writeFileSync(bytesPath(localDir, "d\xfe/b\xff"), "12");
      writeFileSync(bytesPath(localDir, "a\xff"), "345");
    };
    spoil();
    assert.equal((await bench.load({ policy: "REPLACE" })).status, "SUCCESS");
    assert.deepEqual(bytesIn(localDir), ["fine"]);
    spoil();
    assert.deepEqual(await clear(bench), { fileCount: 3, bytes: 9, spared: [] });
    assert.deepEqual(bytesIn(localDir), []);
    await assertNothingOpen(bench.dir);
  });

  it("are nothing to save where there is nothing else", async (t) => {
    const bench = await createFlowBench(t);
    mkdirSync(bench.localDir);
    old(bytesPath(bench.localDir, "a\xff"));
    const saved = await bench.save();
    assert.equal(saved.skipReason, "NO_FILES");
    assert.deepEqual(leftOutOf(saved), { NAME: 1 });
  });
});

describe("a link of the user's in the local directory", () => {
  it("is counted by a save, and outlives loads and clears", async (t) => {
    const bench = await createFlowBench(t);
    const { localDir, dir } = bench;
    makeTree(join(dir, "elsewhere"), { kernel: "theirs" });
    makeTree(localDir, { "a/file": "a" });
    symlinkSync(join(dir, "elsewhere"), join(localDir, "triton"));
    symlinkSync("file", join(localDir, "a/link"));
    const saved = await bench.save();
    assert.equal(saved.status, "SUCCESS");
    assert.deepEqual(
      saved.leftOut.map(({ examples, ...rest }) => ({ ...rest, examples: [...examples].sort() })),
      [{ reason: "LINK", fileCount: 2, examples: ["a/link", "triton"] }],
    );
    assert.deepEqual(bench.warnings, ["left files out of the save"]);
    for (const policy of ["MERGE", "REPLACE"] as const)
      assert.equal((await bench.load({ policy })).status, "SUCCESS");
    const { fileCount, spared } = await clear(bench);
    assert.equal(fileCount, 1);
    assert.deepEqual(
      spared.map(({ reason, fileCount }) => [reason, fileCount]),
      [["LINK", 2]],
    );
    assert.equal(readlinkSync(join(localDir, "triton")), join(dir, "elsewhere"));
    assert.equal(readFileSync(join(dir, "elsewhere/kernel"), "utf8"), "theirs");
    assert.deepEqual(readdirSync(localDir).sort(), ["a", "triton"]);
    assert.equal((await bench.save({ policy: "REPLACE" })).skipReason, "NO_FILES");
  });

  it("is named where the cache has files under it, and nothing changes", async (t) => {
    const bench = await createFlowBench(t);
    const { localDir, dir } = bench;
    makeTree(localDir, { "triton/0/kernel": "kernel", "b/file": "b" });
    await bench.save();
    rmSync(localDir, { recursive: true });
    makeTree(localDir, { mine: "mine" });
    mkdirSync(join(dir, "elsewhere"));
    symlinkSync(join(dir, "elsewhere"), join(localDir, "triton"));
    for (const policy of ["MERGE", "REPLACE"] as const)
      await assert.rejects(bench.load({ policy }), {
        reason: "PATH_NOT_ALLOWED",
        message: /local\/triton" is a symbolic link.*remove it/,
      });
    assert.deepEqual(readdirSync(localDir).sort(), ["mine", "triton"]);
    assert.deepEqual(readdirSync(join(dir, "elsewhere")), []);
    assert.ok(existsSync(bench.archivePath()), "the archive is not at fault");
  });
});

describe("what others keep in the local directory", () => {
  it("is no cache's: what file systems and desktops keep, sockets, pipes and devices", async (t) => {
    const bench = await createFlowBench(t);
    const { localDir } = bench;
    const theirs = {
      "lost+found/#12": "found",
      ".Trash-0/files/x": "thrown away",
      ".snapshot/daily/file": "older",
    };
    makeTree(localDir, { file: "file", ".nfs0000000000a1b2c3": "open", ...theirs });
    execFileSync("mkfifo", [join(localDir, "pipe")]);
    const saved = await bench.save();
    assert.deepEqual(leftOutOf(saved), { TEMPORARY: 4, SPECIAL: 1 });
    assert.equal(saved.cache?.fileCount, 1);
    await bench.load({ policy: "REPLACE" });
    const { fileCount, spared } = await clear(bench);
    assert.equal(fileCount, 2, "the file, and what NFS left");
    const counts = Object.fromEntries(spared.map(({ reason, fileCount }) => [reason, fileCount]));
    assert.deepEqual(counts, { FOREIGN: 3, SPECIAL: 1 });
    for (const name of Object.keys(theirs)) assert.ok(existsSync(join(localDir, name)), name);
    assert.deepEqual(bench.warnings, ["left files out of the save"]);
  });

  it("is passed over without privileges, too, and counted", { skip: cannotBeNobody }, async (t) => {
    const dir = scratchDir(t);
    chmodSync(dir, 0o1777);
    const localDir = join(dir, "local");
    makeTree(localDir, { file: "file", "theirs/": "", "closed/secret": "root's" });
    mkdirSync(join(localDir, "lost+found"), { mode: 0o700 });
    chmodSync(join(localDir, "closed"), 0o700);
    chownSync(localDir, nobody, nobody);
    const told = runAsNobody(`
      import { createFlowBench } from ${JSON.stringify(new URL("../../support/flow-bench.ts", import.meta.url))};
      const ends = [];
      const dir = ${JSON.stringify(dir)};
      const bench = await createFlowBench({ after: (end) => ends.unshift(end) }, { dir });
      const outcomes = [await bench.save()];
      for (const policy of ["MERGE", "REPLACE"]) outcomes.push(await bench.load({ policy }));
      console.log(JSON.stringify(outcomes));
      for (const end of ends) await end();
    `) as {
      status: string;
      leftOut: { reason: string; fileCount: number; examples: string[] }[];
    }[];
    assert.deepEqual(
      told.map(({ status }) => status),
      ["SUCCESS", "SUCCESS", "SUCCESS"],
    );
    const [unreadable] = told[0]?.leftOut ?? [];
    assert.equal(unreadable?.reason, "UNREADABLE");
    assert.equal(unreadable?.fileCount, 2);
    assert.deepEqual(unreadable?.examples.sort(), ["closed/", "lost+found/"]);
    assert.ok(existsSync(join(localDir, "closed/secret")));
    assert.ok(!existsSync(join(localDir, marker)));
  });

  it("stops no clear; a file that cannot be removed is named, and the mark stays", {
    skip: cannotBeNobody,
  }, async (t) => {
    const dir = scratchDir(t);
    const localDir = join(dir, "local");
    makeTree(localDir, { "a/file": "gone", "root/file": "stays", "z/file": "gone" });
    mkdirSync(join(localDir, "lost+found"), { mode: 0o700 });
    for (const name of ["", "a", "z"]) chownSync(join(localDir, name), nobody, nobody);
    chmodSync(dir, 0o755);
    const module = (path: string) =>
      JSON.stringify(new URL(`../../../server/src/${path}`, import.meta.url));
    const clearAsNobody = () =>
      runAsNobody(`
        import { openSync } from "node:fs";
        import { clearDirectory } from ${module("local/clear-directory.ts")};
        const path = ${JSON.stringify(localDir)};
        try {
          console.log(JSON.stringify(clearDirectory({ fd: openSync(path), path }, () => {})));
        } catch ({ reason, message }) {
          console.log(JSON.stringify({ reason, message }));
        }
      `) as { reason?: string; message?: string; spared?: unknown };
    const refused = clearAsNobody();
    assert.equal(refused.reason, "PATH_NOT_ALLOWED");
    assert.match(refused.message ?? "", /local\/root\/file" cannot be removed \(EACCES\)/);
    assert.deepEqual(readdirSync(localDir).sort(), [marker, "lost+found", "root"]);
    rmSync(join(localDir, "root/file"));
    assert.deepEqual(clearAsNobody().spared, [
      { reason: "FOREIGN", fileCount: 1, examples: ["lost+found/"] },
    ]);
    assert.ok(!existsSync(join(localDir, marker)));
  });

  it("may be mounted there: saved and loaded, and never removed", {
    skip: cannotMount,
  }, async (t) => {
    const bench = await createFlowBench(t);
    const { localDir } = bench;
    const other = mountTmpfs(t, "size=8m");
    makeTree(localDir, { "sub/": "", "bound/": "", file: "file" });
    makeTree(other, { "0/kernel": "kernel", extra: "extra" });
    makeTree(join(bench.dir, "outside"), { precious: "precious" });
    const binds = [
      ["--bind", other, join(localDir, "sub")],
      ["--bind", join(bench.dir, "outside"), join(localDir, "bound")],
    ];
    await mounted(binds, async () => {
      const saved = await bench.save();
      assert.equal(saved.cache?.fileCount, 4);
      assert.deepEqual(leftOutOf(saved), {});
      rmSync(join(other, "0"), { recursive: true });
      writeFileSync(join(other, "extra"), "changed");
      assert.equal((await bench.load({ policy: "MERGE" })).status, "SUCCESS");
      assert.equal(readFileSync(join(other, "0/kernel"), "utf8"), "kernel");
      assert.equal(readFileSync(join(other, "extra"), "utf8"), "changed");
      writeFileSync(join(other, "another"), "not in the cache");
      assert.equal((await bench.load({ policy: "REPLACE" })).status, "SUCCESS");
      assert.equal(readFileSync(join(other, "extra"), "utf8"), "extra");
      assert.deepEqual(readdirSync(other).sort(), ["0", "another", "extra"]);
      const { spared } = await clear(bench);
      assert.deepEqual(
        spared.map(({ reason, fileCount }) => [reason, fileCount]),
        [["FOREIGN", 2]],
      );
      assert.deepEqual(readdirSync(join(bench.dir, "outside")), ["precious"]);
      assert.deepEqual(readdirSync(localDir).sort(), ["bound", "sub"]);
    });
  });
});

describe("a local directory in an odd state", () => {
  it("may be read-only for a save", { skip: cannotMount }, async (t) => {
    const bench = await createFlowBench(t);
    makeTree(bench.localDir, { file: "file" });
    const { localDir } = bench;
    const binds = [
      ["--bind", localDir, localDir],
      ["-o", "remount,ro,bind", localDir],
    ];
    await mounted(binds, async () => {
      assert.equal((await bench.save()).status, "SUCCESS");
      await assert.rejects(clear(bench), { reason: "PATH_NOT_ALLOWED" });
      await assert.rejects(bench.load({ policy: "REPLACE" }), { reason: "PATH_NOT_ALLOWED" });
    });
  });

  it("is loaded, whatever kind of thing marks it", async (t) => {
    const bench = await createFlowBench(t);
    makeTree(bench.localDir, { file: "file" });
    await bench.save();
    const path = join(bench.localDir, marker);
    const marks = [
      () => execFileSync("mkfifo", [path]),
      () => makeTree(path, { "below/file": "x" }),
      () => symlinkSync("/nowhere", path),
    ];
    for (const mark of marks)
      for (const action of [() => bench.load(), () => clear(bench)]) {
        mark();
        assert.equal((await bench.save({ policy: "REPLACE" })).skipReason, "NOT_LOADED");
        await action();
        assert.ok(!existsSync(path));
        assert.throws(() => lstatSync(path));
      }
  });

  it("gives what is loaded its group and mode", { skip: cannotBeNobody }, async (t) => {
    const dir = scratchDir(t);
    chmodSync(dir, 0o1777);
    const localDir = join(dir, "local");
    makeTree(join(dir, "source"), { "a/file": "1", "a/private": { content: "2", mode: 0o600 } });
    chownSync(join(dir, "source/a/private"), nobody, nobody);
    mkdirSync(localDir);
    const shared = nobody + 1;
    const states = [
      { umask: 0o002, mode: 0o2775, expected: { a: 0o2775, "a/file": 0o664, "a/private": 0o600 } },
      { umask: 0o077, mode: 0o700, expected: { a: 0o700, "a/file": 0o600, "a/private": 0o600 } },
      { umask: 0, mode: 0o755, expected: { a: 0o775, "a/file": 0o664, "a/private": 0o600 } },
    ];
    for (const { umask, mode, expected } of states) {
      const isShared = mode > 0o777;
      rmSync(localDir, { recursive: true });
      mkdirSync(localDir);
      chownSync(localDir, nobody, isShared ? shared : nobody);
      chmodSync(localDir, mode);
      runAsNobody(`
        import { createFlowBench } from ${JSON.stringify(new URL("../../support/flow-bench.ts", import.meta.url))};
        process.umask(${umask});
        const ends = [];
        const dir = ${JSON.stringify(dir)};
        const bench = await createFlowBench({ after: (end) => ends.unshift(end) }, { dir });
        await bench.save({ from: dir + "/source" });
        console.log(JSON.stringify(await bench.load()));
        for (const end of ends) await end();
      `);
      const found = Object.keys(expected).map((name) => {
        return [name, lstatSync(join(localDir, name)).mode & 0o7777];
      });
      assert.deepEqual(Object.fromEntries(found), expected);
      assert.equal(lstatSync(localDir).mode & 0o7777, mode);
      for (const name of ["", ...Object.keys(expected)])
        assert.equal(lstatSync(join(localDir, name)).gid, isShared ? shared : nobody);
    }
  });

  it("keeps a private file private", async (t) => {
    const bench = await createFlowBench(t);
    makeTree(bench.localDir, {
      private: { content: "p", mode: 0o600 },
      "private.so": { content: "p", mode: 0o700 },
      "group.so": { content: "g", mode: 0o750 },
      public: { content: "p", mode: 0o664 },
    });
    await bench.save();
    const into = join(bench.dir, "loaded");
    await bench.load({ into });
    const modes = readdirSync(into).map((name) => {
      return [name, (lstatSync(join(into, name)).mode & 0o777).toString(8)];
    });
    assert.deepEqual(Object.fromEntries(modes), {
      "group.so": "750",
      private: "600",
      "private.so": "700",
      public: "644",
    });
  });
});
