import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import {
  cancelIn,
  createFlowBench,
  environment,
  type FlowBench,
} from "../../support/flow-bench.ts";
import { cannotBeNobody, nobody } from "../../support/machine/as-user.ts";
import { cannotMount, mountTmpfs } from "../../support/machine/mounts.ts";
import { assertNothingOpen } from "../../support/refusal.ts";
import { type FileSpec, listTree, makeTree, noise } from "../../support/trees/trees.ts";

const marker = ".compilecache-not-loaded";
const files: Record<string, FileSpec> = {
  "a/one.json": "1",
  "a/b/two.json": "2",
  "empty/": "",
  "kernel.so": { content: "kernel", mode: 0o755 },
};

/** A bench whose store holds a cache of these files, and the tree that a load of it must give. */
async function savedBench(
  t: TestContext,
  specs = files,
  options: { parent?: string; storeDir?: string } = {},
) {
  const bench = await createFlowBench(t, options);
  const source = join(bench.dir, "source");
  makeTree(source, specs);
  await bench.save({ from: source });
  const expected = listTree(source);
  rmSync(source, { recursive: true });
  return { bench, expected };
}

const beside = (bench: FlowBench) =>
  readdirSync(bench.dir)
    .filter((name) => name !== "store")
    .sort();

describe("a load", () => {
  it("fills a directory that is absent, empty, or holds nothing that a save takes", async (t) => {
    const { bench, expected } = await savedBench(t);
    const before: Record<string, string>[] = [
      {},
      { "empty/": "" },
      { "x.lock": "l", "locks/y": "l" },
    ];
    assert.equal((await bench.load()).status, "SUCCESS");
    assert.deepEqual(listTree(bench.localDir), expected);
    for (const there of before) {
      rmSync(bench.localDir, { recursive: true });
      makeTree(bench.localDir, there);
      assert.equal((await bench.load()).status, "SUCCESS");
      const tree = listTree(bench.localDir);
      assert.deepEqual(
        expected.filter((line) => !tree.includes(line)),
        [],
      );
      assert.ok(!existsSync(join(bench.localDir, marker)));
    }
    assert.deepEqual(beside(bench), ["local"]);
    await assertNothingOpen(bench.dir);
  });

  it("is SKIPPED where there are files, and touches nothing", async (t) => {
    const { bench } = await savedBench(t);
    makeTree(bench.localDir, { deep: "", "d/mine": "mine" });
    const before = listTree(bench.localDir);
    assert.equal((await bench.load()).status, "SKIPPED");
    assert.deepEqual(listTree(bench.localDir), before);
  });

  it("merges or replaces if it is told to", async (t) => {
    const { bench, expected } = await savedBench(t);
    makeTree(bench.localDir, { "a/one.json": "mine", extra: "mine", "x.lock": "locked" });
    assert.equal((await bench.load({ policy: "MERGE" })).status, "SUCCESS");
    assert.equal(readFileSync(join(bench.localDir, "a/one.json"), "utf8"), "mine");
    assert.equal(readFileSync(join(bench.localDir, "a/b/two.json"), "utf8"), "2");
    assert.equal((await bench.load({ policy: "REPLACE" })).status, "SUCCESS");
    const lock = listTree(bench.localDir).filter((line) => line.startsWith('"x.lock"'));
    assert.deepEqual(listTree(bench.localDir), [...expected, ...lock].sort());
    assert.deepEqual(beside(bench), ["local"]);
  });

  it("neither follows nor keeps a link in the place of the local directory", async (t) => {
    const { bench } = await savedBench(t);
    mkdirSync(join(bench.dir, "outside"));
    symlinkSync("outside", bench.localDir);
    for (const policy of ["SKIP", "MERGE", "REPLACE"] as const)
      await assert.rejects(bench.load({ policy }), { reason: "PATH_NOT_ALLOWED" });
    assert.deepEqual(readdirSync(join(bench.dir, "outside")), []);
  });

  it("gives all that it makes to the directory's owner", { skip: cannotBeNobody }, async (t) => {
    const spanning = { "large.bin": noise(17 << 20), "z/z": "z" };
    const { bench, expected } = await savedBench(t, { ...files, ...spanning });
    for (const policy of ["SKIP", "MERGE", "REPLACE"] as const) {
      rmSync(bench.localDir, { recursive: true, force: true });
      mkdirSync(bench.localDir);
      if (policy !== "SKIP") writeFileSync(join(bench.localDir, "there"), "");
      chownSync(bench.localDir, nobody, nobody);
      await bench.load({ policy });
      const owners = expected.map((line) => {
        const { uid, gid } = lstatSync(
          join(bench.localDir, JSON.parse(/^".*?[^\\]"/.exec(line)?.[0] ?? "")),
        );
        return `${uid}:${gid}`;
      });
      assert.deepEqual([...new Set(owners)], [`${nobody}:${nobody}`]);
      assert.equal(lstatSync(bench.localDir).uid, nobody);
    }
  });

  it("works where the local directory is a mount point", { skip: cannotMount }, async (t) => {
    const localDir = mountTmpfs(t, "size=16m");
    const { bench, expected } = await savedBench(t);
    mkdirSync(bench.localDir);
    execFileSync("mount", ["--bind", localDir, bench.localDir]);
    try {
      assert.equal((await bench.load()).status, "SUCCESS");
      assert.deepEqual(listTree(bench.localDir), expected);
      assert.equal((await bench.load()).status, "SKIPPED");
      assert.deepEqual(beside(bench), ["local"]);
    } finally {
      execFileSync("umount", ["-l", bench.localDir]);
    }
  });

  it("finishes what an interrupted load left, and clears it if there is nothing to load", async (t) => {
    const { bench, expected } = await savedBench(t);
    makeTree(bench.localDir, { [marker]: "", "a/one.json": { content: "1" } });
    assert.equal((await bench.load()).status, "SUCCESS");
    assert.deepEqual(listTree(bench.localDir), expected);
    makeTree(bench.localDir, { [marker]: "" });
    const other = { ...environment, torchVersion: "9.9" };
    rmSync(bench.archivePath());
    const missed = await bench.load({ environment: other });
    assert.equal(missed.status, "DOES_NOT_EXIST");
    assert.deepEqual(listTree(bench.localDir), []);
  });

  it("reads a sound archive that replaces a damaged one during the load, and keeps it", async (t) => {
    const { bench, expected } = await savedBench(t);
    const path = bench.archivePath();
    copyFileSync(path, `${path}.sound`);
    const damaged = readFileSync(path);
    damaged.writeUInt8(damaged.readUInt8(30) ^ 1, 30);
    writeFileSync(path, damaged);
    let replaced = false;
    const loaded = await bench.load({
      onProgress: ({ phase }) => {
        if (phase === "UNPACKING" && !replaced) renameSync(`${path}.sound`, path);
        replaced ||= phase === "UNPACKING";
      },
    });
    assert.equal(loaded.status, "SUCCESS");
    assert.deepEqual(listTree(bench.localDir), expected);
    assert.deepEqual(bench.storeFiles(), [basename(path)]);
  });

  it("stops when it is cancelled, and leaves all as it was", async (t) => {
    const { bench } = await savedBench(t, { a: noise(20 << 20), b: noise(20 << 20, 3), c: "c" });
    makeTree(bench.localDir, { mine: "mine" });
    const before = listTree(bench.localDir);
    for (const phase of ["UNPACKING", "COMMITTING"] as const) {
      const { signal, onProgress, laterPhases } = cancelIn(phase);
      await assert.rejects(bench.load({ policy: "REPLACE", signal, onProgress }), /cancelled/);
      assert.deepEqual(laterPhases, []);
      assert.deepEqual(listTree(bench.localDir), before);
      assert.deepEqual(beside(bench), ["local"]);
      await assertNothingOpen(bench.dir);
    }
    assert.ok(existsSync(bench.archivePath()));
  });
});

describe("a load into too little space", () => {
  /** A bench whose local directory lies on a small tmpfs, and its store elsewhere. */
  async function smallBench(t: TestContext, options: string, specs: Record<string, FileSpec>) {
    const parent = mountTmpfs(t, options);
    const { bench: roomy } = await savedBench(t, specs);
    const storeDir = join(roomy.dir, "store");
    const bench = await createFlowBench(t, { parent, storeDir });
    return { bench, parent };
  }

  const insufficient = { reason: "INSUFFICIENT_SPACE" };

  it("is refused before anything is written, for bytes and for inodes", {
    skip: cannotMount,
  }, async (t) => {
    const bytes = await smallBench(t, "size=8m", { "a.bin": noise(9 << 20) });
    await assert.rejects(bytes.bench.load(), insufficient);
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`f${n}`, "x"]));
    const inodes = await smallBench(t, "size=8m,nr_inodes=100", many);
    await assert.rejects(inodes.bench.load(), insufficient);
    for (const { bench } of [bytes, inodes]) {
      assert.deepEqual(beside(bench), []);
      assert.ok(existsSync(bench.archivePath()), "nothing is wrong with the archive");
    }
  });

  it("stops when the space runs out in the middle, and leaves nothing", {
    skip: cannotMount,
  }, async (t) => {
    const specs = { "a.bin": noise(10 << 20), "b.bin": noise(10 << 20, 3), "c.txt": "c" };
    const { bench, parent } = await smallBench(t, "size=32m", specs);
    let filled = false;
    const load = bench.load({
      onProgress: ({ phase }) => {
        if (phase === "UNPACKING" && !filled)
          writeFileSync(join(parent, "other"), Buffer.alloc(20 << 20));
        filled ||= phase === "UNPACKING";
      },
    });
    await assert.rejects(load, insufficient);
    assert.deepEqual(beside(bench), []);
    await assertNothingOpen(bench.dir);
  });

  it("stops when the inodes run out in the middle, and leaves nothing", {
    skip: cannotMount,
  }, async (t) => {
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`d${n}/f`, "x"]));
    const { bench } = await smallBench(t, "size=32m,nr_inodes=100", many);
    await assert.rejects(bench.load(), insufficient);
    assert.deepEqual(beside(bench), []);
  });
});

describe("a load that is killed", () => {
  const strace = spawnSync("strace", ["-V"]).status === 0;

  /**
   * Loads in another process, which is killed at the nth of these system calls; returns whether it was
   * killed.
   */
  function killedLoad(bench: FlowBench, call: string, n: number): boolean {
    const program = `
      import { createFlowBench } from ${JSON.stringify(new URL("../../support/flow-bench.ts", import.meta.url))};
      const bench = await createFlowBench({ after() {} }, { dir: ${JSON.stringify(bench.dir)} });
      await bench.load({ policy: "MERGE" });
      process.exit(0);`;
    // The names of the system calls differ between architectures.
    const calls = `/^${call}(at2?)?$`;
    const options = ["-f", "-qq", "-o", "/dev/null", "-e", `trace=${calls}`];
    const inject = ["-e", `inject=${calls}:signal=KILL:when=${n}`];
    const node = [process.execPath, "--input-type=module", "-e", program];
    const ran = spawnSync("strace", [...options, ...inject, ...node], { encoding: "utf8" });
    if (ran.signal === "SIGKILL" || ran.status === 137) return true;
    assert.equal(ran.status, 0, ran.stderr);
    return false;
  }

  it("leaves what was there, or what the next load finishes", {
    skip: !strace && "needs strace",
  }, async (t) => {
    const { bench, expected } = await savedBench(t);
    const outcomes: string[] = [];
    for (const [call, n] of [
      ["mkdir", 1],
      ["rename", 1],
      ["rename", 2],
      ["link", 1],
      ["unlink", 1],
    ] as const) {
      rmSync(bench.localDir, { recursive: true, force: true });
      makeTree(bench.localDir, { "a/mine": "mine" });
      if (!killedLoad(bench, call, n)) continue;
      const marked = existsSync(join(bench.localDir, marker));
      outcomes.push(`${call} ${n}: ${marked ? "marked" : "as it was"}`);
      if (marked) assert.equal((await bench.save({ policy: "REPLACE" })).status, "SKIPPED");
      assert.equal((await bench.load({ policy: "MERGE" })).status, "SUCCESS");
      const tree = listTree(bench.localDir);
      assert.deepEqual(
        expected.filter((line) => !tree.includes(line)),
        [],
      );
      assert.ok(tree.some((line) => line.startsWith('"a/mine"')));
      assert.ok(!existsSync(join(bench.localDir, marker)));
    }
    assert.ok(
      outcomes.some((outcome) => outcome.endsWith("marked")),
      outcomes.join("; "),
    );
  });
});
