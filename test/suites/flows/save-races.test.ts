import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { SaveOutcome } from "../../../server/src/domain/outcome.ts";
import type { Progress } from "../../../server/src/transfers/state.ts";
import {
  cancelIn,
  createFlowBench,
  type FlowBench,
  leftOutOf,
  scratchDir,
} from "../../support/flow-bench.ts";
import { cannotBeNobody, runAsNobody } from "../../support/machine/as-user.ts";
import { cannotMount, mountTmpfs } from "../../support/machine/mounts.ts";
import { assertNothingOpen } from "../../support/refusal.ts";
import { keepGrowing } from "../../support/trees/growing-file.ts";
import { listTree, makeTree, noise, settledAt } from "../../support/trees/trees.ts";

/** Runs `change` after a save has listed the files and before it reads any. */
const onceListed = (change: () => unknown) => {
  let done = false;
  return async ({ phase }: Progress) => {
    if (phase !== "PACKING" || done) return;
    done = true;
    await change();
  };
};

/** Paths and contents of the stored files, as a load writes them. */
async function stored(bench: FlowBench): Promise<Record<string, string>> {
  const into = join(bench.dir, "loaded");
  rmSync(into, { recursive: true, force: true });
  assert.equal((await bench.load({ into })).status, "SUCCESS");
  const found: Record<string, string> = {};
  for (const entry of readdirSync(into, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile())
      found[path.slice(into.length + 1)] = readFileSync(path, "utf8").slice(0, 40);
  }
  return found;
}

describe("a save while files are written", { concurrency: 4 }, () => {
  it("takes a young file when it is still the same at the second look", async (t) => {
    const bench = await createFlowBench(t);
    makeTree(bench.localDir, { old: "old", "d/young": "young", "d/growing": "1" });
    const stop = await keepGrowing(t, join(bench.localDir, "d/growing"));
    const now = Date.now() / 1000;
    utimesSync(join(bench.localDir, "d/young"), now, now);
    const saved = await bench.save();
    stop();
    assert.equal(saved.status, "SUCCESS");
    assert.deepEqual(leftOutOf(saved), { CHANGED: 1 });
    assert.equal(saved.cache?.fileCount, 2);
    assert.deepEqual(await stored(bench), { old: "old", "d/young": "young" });
  });

  it("takes a file whose time lies in the future, by another clock", async (t) => {
    const bench = await createFlowBench(t);
    const future = Math.floor(Date.now() / 1000) + 3600;
    makeTree(bench.localDir, { ahead: { content: "ahead", mtime: future } });
    assert.deepEqual(leftOutOf(await bench.save()), {});
    assert.deepEqual(await stored(bench), { ahead: "ahead" });
  });

  it("takes a file that changed once as it is at the second look, and leaves out what is gone", async (t) => {
    const bench = await createFlowBench(t);
    const { localDir } = bench;
    makeTree(localDir, {
      same: "same",
      changed: "before",
      replaced: "before",
      shrunk: "before",
      gone: "gone",
      "dir/gone": "gone",
    });
    const change = onceListed(() => {
      writeFileSync(join(localDir, "changed"), "after it");
      writeFileSync(join(localDir, "new"), "after it");
      renameSync(join(localDir, "new"), join(localDir, "replaced"));
      truncateSync(join(localDir, "shrunk"), 3);
      rmSync(join(localDir, "gone"));
      rmSync(join(localDir, "dir"), { recursive: true });
    });
    const saved = await bench.save({ onProgress: change });
    assert.deepEqual(leftOutOf(saved), { CHANGED: 2 });
    assert.deepEqual(await stored(bench), {
      same: "same",
      changed: "after it",
      replaced: "after it",
      shrunk: "bef",
    });
  });

  it("sees a change that keeps size and time", async (t) => {
    const bench = await createFlowBench(t);
    const path = join(bench.localDir, "sly");
    makeTree(bench.localDir, { sly: "before", same: "same" });
    const rewrite = setInterval(() => {
      writeFileSync(path, "after!");
      utimesSync(path, settledAt, settledAt);
    }, 5);
    t.after(() => clearInterval(rewrite));
    await bench.save();
    clearInterval(rewrite);
    const content = await stored(bench);
    assert.ok([undefined, "after!", "before"].includes(content.sly), content.sly);
    assert.equal(content.same, "same");
  });

  it("follows nothing that replaces a file or directory, and waits for no pipe", async (t) => {
    const bench = await createFlowBench(t);
    const { localDir, dir } = bench;
    makeTree(join(dir, "outside"), { secret: "secret", "below/secret": "secret" });
    makeTree(localDir, {
      fine: "fine",
      "a/secret": "x",
      "b/below/secret": "x",
      link: "secret",
      pipe: "x",
      directory: "x",
      "c/file": "x",
    });
    const change = onceListed(() => {
      for (const name of ["a", "b", "link", "pipe", "directory", "c"])
        rmSync(join(localDir, name), { recursive: true });
      symlinkSync(join(dir, "outside"), join(localDir, "a"));
      symlinkSync(join(dir, "outside"), join(localDir, "b"));
      symlinkSync(join(dir, "outside/secret"), join(localDir, "link"));
      execFileSync("mkfifo", [join(localDir, "pipe")]);
      mkdirSync(join(localDir, "directory"));
      writeFileSync(join(localDir, "c"), "a file now");
    });
    const saved = await bench.save({ onProgress: change });
    assert.deepEqual(leftOutOf(saved), { CHANGED: 6 });
    assert.deepEqual(await stored(bench), { fine: "fine" });
  });

  it("follows nothing that replaces the local directory itself", async (t) => {
    const bench = await createFlowBench(t);
    makeTree(join(bench.dir, "outside"), { file: "secret" });
    makeTree(bench.localDir, { file: "mine" });
    const saved = await bench.save({
      onProgress: onceListed(() => {
        renameSync(bench.localDir, join(bench.dir, "moved"));
        symlinkSync(join(bench.dir, "outside"), bench.localDir);
      }),
    });
    assert.equal(saved.status, "SUCCESS");
    assert.deepEqual(await stored(bench), { file: "mine" });
  });

  it("leaves out a large file that changes, and makes a whole archive of the rest", async (t) => {
    const bench = await createFlowBench(t);
    const large = join(bench.localDir, "large.bin");
    makeTree(bench.localDir, {
      "small.bin": "small",
      "large.bin": Buffer.alloc(20 << 20),
      "z.zzz": "last",
    });
    // By its time it is settled, so that it is read.
    const grow = onceListed(() => keepGrowing(t, large));
    const saved = await bench.save({ onProgress: grow });
    assert.deepEqual(leftOutOf(saved), { CHANGED: 1 });
    assert.deepEqual(await stored(bench), { "small.bin": "small", "z.zzz": "last" });
  });

  it("makes no empty frame when all files of one vanished", async (t) => {
    const bench = await createFlowBench(t);
    makeTree(bench.localDir, {
      "a.bin": noise(9 << 20),
      "b.bin": noise(9 << 20, 3),
      "c.txt": "last",
    });
    await bench.save({ onProgress: onceListed(() => rmSync(join(bench.localDir, "a.bin"))) });
    assert.deepEqual(Object.keys(await stored(bench)).sort(), ["b.bin", "c.txt"]);
    execFileSync("zstd", ["-tq", bench.archivePath()]);
  });

  it("is SKIPPED, with nothing in the store, when all is gone", async (t) => {
    const bench = await createFlowBench(t);
    makeTree(bench.localDir, { a: "a", b: "b" });
    const saved = await bench.save({
      onProgress: onceListed(() => rmSync(bench.localDir, { recursive: true })),
    });
    assert.equal(saved.status, "SKIPPED");
    assert.equal(saved.skipReason, "UNFINISHED");
    assert.deepEqual(leftOutOf(saved), { CHANGED: 2 });
    assert.deepEqual(bench.storeFiles(), []);
    await assertNothingOpen(bench.dir);
  });
});

describe("a save that comes second", () => {
  it("is SKIPPED, and names the cache of the first", async (t) => {
    const bench = await createFlowBench(t);
    makeTree(bench.localDir, { a: "a", b: "b" });
    makeTree(join(bench.dir, "other"), { c: "c" });
    let first: SaveOutcome | undefined;
    const second = await bench.save({
      onProgress: async ({ phase }) => {
        if (phase === "PACKING") first = await bench.save({ from: join(bench.dir, "other") });
      },
    });
    assert.equal(first?.status, "SUCCESS");
    assert.equal(second.status, "SKIPPED");
    assert.equal(second.skipReason, "ALREADY_STORED");
    assert.equal(second.cache?.fileCount, 1);
    assert.deepEqual(await stored(bench), { c: "c" });
  });
});

describe("a save of unusual files", () => {
  it("takes no locks, no unfinished files, and nothing that is not a file", async (t) => {
    const bench = await createFlowBench(t);
    const { localDir } = bench;
    makeTree(localDir, {
      "kernel.json": "{}",
      "c.lock": "x",
      "locks/a": "x",
      "d/x.tmp": "x",
      ".7.8.tmp": "x",
      "tmp.pid_1_2/file": "x",
      ".compilecache-stage-1/file": "x",
      "x.swp": "not an editor's",
      ".x.swp": "x",
      "~": "x",
    });
    symlinkSync("kernel.json", join(localDir, "link"));
    symlinkSync("/etc", join(localDir, "etc"));
    execFileSync("mkfifo", [join(localDir, "fifo")]);
    if (process.getuid?.() === 0) execFileSync("mknod", [join(localDir, "zero"), "c", "1", "5"]);
    const saved = await bench.save();
    const special = process.getuid?.() === 0 ? 2 : 1;
    assert.deepEqual(leftOutOf(saved), { TEMPORARY: 9, LINK: 2, SPECIAL: special });
    assert.deepEqual(Object.keys(await stored(bench)), ["kernel.json"]);
  });

  it("leaves out, and counts, what it may not read", { skip: cannotBeNobody }, (t) => {
    const dir = scratchDir(t);
    chmodSync(dir, 0o1777);
    const outcome = runAsNobody(`
      import { createFlowBench } from ${JSON.stringify(new URL("../../support/flow-bench.ts", import.meta.url))};
      import { makeTree } from ${JSON.stringify(new URL("../../support/trees/trees.ts", import.meta.url))};
      const ends = [];
      const after = (end) => ends.unshift(end);
      const bench = await createFlowBench({ after }, { parent: ${JSON.stringify(dir)} });
      makeTree(bench.localDir, { open: "open", closed: { content: "closed", mode: 0 } });
      console.log(JSON.stringify(await bench.save()));
      for (const end of ends) await end();
    `) as SaveOutcome & { status: string; cache: { fileCount: number } };
    assert.equal(outcome.status, "SUCCESS");
    assert.deepEqual(leftOutOf(outcome), { UNREADABLE: 1 });
    assert.equal(outcome.cache.fileCount, 1);
  });

  it("leaves out a file whose path is longer than Linux allows", async (t) => {
    const bench = await createFlowBench(t);
    makeTree(bench.localDir, { fine: "fine" });
    const deep = "x".repeat(200);
    execFileSync(
      "bash",
      [
        "-ec",
        `for i in {1..20}; do mkdir ${deep}; cd ${deep}; done; echo deep > ${"f".repeat(50)}; touch -d @1 *`,
      ],
      { cwd: bench.localDir },
    );
    t.after(() => execFileSync("rm", ["-rf", bench.localDir]));
    const saved = await bench.save();
    assert.deepEqual(leftOutOf(saved), { NAME: 1 });
    assert.deepEqual(await stored(bench), { fine: "fine" });
  });
});

describe("a save that is refused or stopped", () => {
  it("is CACHE_TOO_LARGE over each limit, and leaves nothing", async (t) => {
    const bench = await createFlowBench(t);
    makeTree(bench.localDir, { a: noise(5000), b: noise(5000, 3), c: "c" });
    const tooLarge = { reason: "CACHE_TOO_LARGE" };
    await assert.rejects(bench.save({ limits: { maxFileCount: 2 } }), tooLarge);
    await assert.rejects(bench.save({ limits: { maxContentBytes: 10_000 } }), tooLarge);
    await assert.rejects(bench.save({ limits: { maxArchiveBytes: 9_000 } }), tooLarge);
    assert.deepEqual(bench.storeFiles(), []);
    const just = { maxFileCount: 3, maxContentBytes: 10_001, maxArchiveBytes: 13_000 };
    assert.equal((await bench.save({ limits: just })).status, "SUCCESS");
    await assertNothingOpen(bench.dir);
  });

  it("is INSUFFICIENT_SPACE in a full store, and leaves nothing", {
    skip: cannotMount,
  }, async (t) => {
    const storeDir = mountTmpfs(t, "size=4m");
    const bench = await createFlowBench(t, { storeDir });
    makeTree(bench.localDir, { a: noise(6 << 20) });
    await assert.rejects(bench.save(), { reason: "INSUFFICIENT_SPACE" });
    assert.deepEqual(bench.storeFiles(), []);
    await assertNothingOpen(storeDir);
  });

  it("stops when it is cancelled, and leaves nothing", async (t) => {
    for (const phase of ["PACKING", "COMMITTING"] as const) {
      const bench = await createFlowBench(t);
      makeTree(bench.localDir, { a: noise(20 << 20), b: noise(20 << 20, 3) });
      const { signal, onProgress, laterPhases } = cancelIn(phase);
      await assert.rejects(bench.save({ signal, onProgress }), /cancelled/);
      assert.deepEqual(laterPhases, []);
      assert.deepEqual(bench.storeFiles(), []);
      await assertNothingOpen(bench.dir);
    }
  });

  it("is SKIPPED while the directory is marked as not loaded", async (t) => {
    const bench = await createFlowBench(t);
    makeTree(bench.localDir, { a: "a", ".compilecache-not-loaded": "" });
    assert.equal((await bench.save({ policy: "REPLACE" })).status, "SKIPPED");
    assert.ok(!existsSync(bench.archivePath()));
  });

  it("does not make a local directory that is not there", async (t) => {
    const bench = await createFlowBench(t);
    assert.equal((await bench.save()).status, "SKIPPED");
    assert.ok(!existsSync(bench.localDir));
    assert.deepEqual(listTree(join(bench.dir, "store")), ['"bench" directory']);
  });
});
