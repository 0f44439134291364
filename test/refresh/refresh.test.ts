import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createFlowBench } from "../archive/flow-bench.ts";
import { contents, longAgo, many, write } from "./trees.ts";

async function benchWith(t: TestContext, files: Record<string, string | Buffer>) {
  const bench = await createFlowBench(t);
  write(bench.localDir, files);
  const first = await bench.save({ policy: "REFRESH" });
  assert.equal(first.status, "SUCCESS");
  assert.equal(first.cache?.generation, 1);
  const loadElsewhere = async (name: string) => {
    const into = join(bench.dir, name);
    mkdirSync(into);
    assert.equal((await bench.load({ into })).status, "SUCCESS");
    return contents(into);
  };
  return { bench, loadElsewhere };
}

describe("refresh", () => {
  it("keeps the union, and the local file where both have one", async (t) => {
    const { bench, loadElsewhere } = await benchWith(t, {
      ...many("a", 20),
      same: "s",
      other: "old",
    });
    rmSync(join(bench.localDir, "a/3.json"));
    write(bench.localDir, { ...many("b", 5), other: "new!" });
    const again = await bench.save({ policy: "REFRESH" });
    assert.equal(again.status, "SUCCESS");
    assert.equal(again.cache?.generation, 2);
    assert.equal(again.cache?.fileCount, 27);
    const loaded = await loadElsewhere("union");
    assert.deepEqual(loaded, { ...many("a", 20), ...many("b", 5), same: "s", other: "new!" });
  });

  it("is one file that tar reads to the same end", async (t) => {
    const { bench, loadElsewhere } = await benchWith(t, { ...many("a", 3), x: "old" });
    write(bench.localDir, { ...many("b", 2), x: "newer" });
    await bench.save({ policy: "REFRESH" });
    const byTar = join(bench.dir, "by-tar");
    mkdirSync(byTar);
    execFileSync("tar", ["--zstd", "-xf", bench.archivePath(), "-C", byTar]);
    assert.deepEqual(contents(byTar), await loadElsewhere("by-us"));
  });

  it("replaces a large file that spans frames, and one in a third generation once more", async (t) => {
    const large = (byte: number) => Buffer.alloc(40 * 1024 * 1024, byte);
    const { bench, loadElsewhere } = await benchWith(t, { big: large(1), x: "1", ...many("a", 9) });
    write(bench.localDir, { big: large(2), x: "2", ...many("b", 3) });
    assert.equal((await bench.save({ policy: "REFRESH" })).status, "SUCCESS");
    write(bench.localDir, { x: "three", ...many("c", 3) });
    const third = await bench.save({ policy: "REFRESH" });
    assert.equal(third.cache?.generation, 3);
    const { big, ...rest } = await loadElsewhere("third");
    assert.equal(big?.length, large(2).length);
    assert.equal(big?.charCodeAt(12_345_678), 2);
    assert.deepEqual(rest, { x: "three", ...many("a", 9), ...many("b", 3), ...many("c", 3) });
  });

  it("stops by itself: nothing new, a touched file or too little new is not saved again", async (t) => {
    const { bench } = await benchWith(t, { ...many("a", 200), big: "x".repeat(5000) });
    const before = readFileSync(bench.archivePath());
    assert.equal((await bench.save({ policy: "REFRESH" })).status, "SKIPPED");
    const later = new Date(longAgo.getTime() + 60_000);
    utimesSync(join(bench.localDir, "a/1.json"), later, later);
    assert.equal((await bench.save({ policy: "REFRESH" })).status, "SKIPPED");
    write(bench.localDir, { "a/0.json": "changed alone" });
    assert.equal((await bench.save({ policy: "REFRESH" })).status, "SKIPPED");
    write(bench.localDir, { new1: "1" });
    const skipped = await bench.save({ policy: "REFRESH" });
    assert.equal(skipped.status, "SKIPPED");
    assert.equal(skipped.cache?.fileCount, 201);
    assert.deepEqual(readFileSync(bench.archivePath()), before);
    write(bench.localDir, { new2: "2", new3: "3" });
    assert.equal((await bench.save({ policy: "REFRESH" })).status, "SUCCESS");
  });

  it("keeps this directory alone where the union is over the limits", async (t) => {
    const { bench, loadElsewhere } = await benchWith(t, many("a", 20));
    rmSync(join(bench.localDir, "a"), { recursive: true });
    write(bench.localDir, many("b", 20));
    const limits = { maxFileCount: 30 };
    assert.equal((await bench.save({ policy: "REFRESH", limits })).status, "SUCCESS");
    assert.deepEqual(await loadElsewhere("local-alone"), many("b", 20));
  });

  it("replaces an archive that cannot be compared: another tool's, or a damaged one", async (t) => {
    const { bench, loadElsewhere } = await benchWith(t, many("a", 5));
    const other = join(bench.dir, "other");
    write(other, many("z", 3));
    execFileSync("tar", ["--zstd", "-cf", bench.archivePath(), "-C", other, "."]);
    assert.equal((await bench.save({ policy: "REFRESH" })).status, "SUCCESS");
    assert.deepEqual(await loadElsewhere("after-foreign"), many("a", 5));

    const bytes = readFileSync(bench.archivePath());
    writeFileSync(bench.archivePath(), bytes.fill(0, bytes.length - 400, bytes.length - 300));
    assert.equal((await bench.save({ policy: "REFRESH" })).status, "SUCCESS");
    assert.deepEqual(await loadElsewhere("after-damage"), many("a", 5));
  });

  it("loses nothing of many refreshes at once, each of which adds files of its own", async (t) => {
    const { bench, loadElsewhere } = await benchWith(t, many("base", 10));
    const expected = many("base", 10);
    const savers = Array.from({ length: 8 }, (_, i) => {
      const from = join(bench.dir, `rank${i}`);
      cpSync(bench.localDir, from, { recursive: true, preserveTimestamps: true });
      write(from, many(`rank${i}`, 4));
      Object.assign(expected, many(`rank${i}`, 4));
      return bench.save({ policy: "REFRESH", from });
    });
    for (const saved of await Promise.all(savers)) assert.equal(saved.status, "SUCCESS");
    assert.deepEqual(await loadElsewhere("converged"), expected);
  });
});

describe("a cache that is loaded at another path", () => {
  it("has the paths in Triton's group files moved along, and is as it was at its own", async (t) => {
    const bench = await createFlowBench(t);
    const groupName = "triton/0/KEY/__grp__k.json";
    const groupAt = (dir: string) =>
      JSON.stringify({ child_paths: { "k.cubin": `${dir}/triton/0/KEY/k.cubin` } });
    write(bench.localDir, { [groupName]: groupAt(bench.localDir), "triton/0/KEY/k.cubin": "x" });
    await bench.save();
    const elsewhere = join(bench.dir, "a-longer-name-than-before");
    mkdirSync(elsewhere);
    await bench.load({ into: elsewhere });
    assert.equal(contents(elsewhere)[groupName], groupAt(elsewhere));
    rmSync(bench.localDir, { recursive: true });
    await bench.load();
    assert.equal(contents(bench.localDir)[groupName], groupAt(bench.localDir));
  });
});
