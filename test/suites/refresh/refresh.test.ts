import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { ArchiveReplaced } from "../../../server/src/store/store.ts";
import { createFlowBench, leftOutOf } from "../../support/flow-bench.ts";
import { keepGrowing } from "../../support/trees/growing-file.ts";
import { contents, longAgo, many, write } from "../../support/trees/refresh-trees.ts";

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

  it("compares again when the archive is replaced while it is read", async (t) => {
    const { bench, loadElsewhere } = await benchWith(t, many("a", 20));
    write(bench.localDir, many("b", 5));
    let reads = 0;
    const { open } = bench.store;
    t.mock.method(bench.store, "open", async (...args: Parameters<typeof open>) => {
      const reader = await open(...args);
      if (!reader || ++reads > 3) return reader;
      const stale = () => Promise.reject(new ArchiveReplaced("here", undefined));
      return { ...reader, read: reads === 1 ? stale : reader.read };
    });
    assert.equal((await bench.save({ policy: "REFRESH" })).cache?.generation, 2);
    assert.ok(reads > 1);
    assert.deepEqual(await loadElsewhere("union"), { ...many("a", 20), ...many("b", 5) });
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

  it("does not save again for nothing new, a touched file, or too little that is new", async (t) => {
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

  it("packs afresh what it has whole, once a quarter of it was appended", async (t) => {
    const noise = (bytes: number) => randomBytes(bytes / 2).toString("hex");
    const { bench, loadElsewhere } = await benchWith(t, { big: noise(400_000), ...many("a", 9) });
    const names = () =>
      execFileSync("tar", ["--zstd", "-tf", bench.archivePath()], { encoding: "utf8" })
        .split("\n")
        .filter((name) => name === "more/x" || name === "b/0.json");
    const refresh = () => bench.save({ policy: "REFRESH" });
    write(bench.localDir, { "more/x": noise(80_000) });
    await refresh();
    write(bench.localDir, { "more/x": noise(40_000), ...many("b", 9) });
    await refresh();
    assert.deepEqual(
      names().sort(),
      ["b/0.json", "more/x", "more/x"],
      "the old one is still there",
    );
    write(bench.localDir, { "more/y": noise(100_000) });
    assert.equal((await refresh()).cache?.generation, 4);
    assert.deepEqual(names().sort(), ["b/0.json", "more/x"]);
    assert.deepEqual(await loadElsewhere("afresh"), contents(bench.localDir));

    // A directory without all of the stored files cannot be packed as a whole without losing some.
    const expected = await loadElsewhere("all of it");
    rmSync(join(bench.localDir, "big"));
    write(bench.localDir, { "more/z": noise(400_000) });
    await refresh();
    assert.deepEqual(await loadElsewhere("union"), { ...expected, ...contents(bench.localDir) });
  });

  it("leaves the stored cache as it is where this directory alone is over the limits", async (t) => {
    const { bench, loadElsewhere } = await benchWith(t, many("a", 20));
    write(bench.localDir, many("b", 20));
    for (const limits of [
      { maxFileCount: 30 },
      { maxContentBytes: 100 },
      { maxArchiveBytes: 500 },
    ]) {
      const refreshed = await bench.save({ policy: "REFRESH", limits });
      assert.equal(refreshed.status, "SKIPPED", JSON.stringify(limits));
      assert.deepEqual(await loadElsewhere(JSON.stringify(limits)), many("a", 20));
    }
    assert.equal(bench.warnings.includes("the directory is too large to be saved"), true);
  });

  it("keeps this directory alone where the union makes too large an archive", async (t) => {
    const noise = () => randomBytes(50_000);
    const { bench, loadElsewhere } = await benchWith(t, { old: noise() });
    rmSync(join(bench.localDir, "old"));
    write(bench.localDir, { new: noise() });
    const limits = { maxArchiveBytes: 80_000 };
    assert.equal((await bench.save({ policy: "REFRESH", limits })).status, "SUCCESS");
    assert.deepEqual(await loadElsewhere("local-alone"), contents(bench.localDir));
    assert.deepEqual(bench.warnings, ["the union would be too large; saving this directory alone"]);
  });

  it("follows a profile's globs: files that it leaves out are no reason to save, and stay stored", async (t) => {
    const { bench, loadElsewhere } = await benchWith(t, { ...many("a", 20), "b/kept.ttir": "1" });
    const stored = await loadElsewhere("stored");
    const profile = { include: ["a/**", "b/**"], exclude: ["**/*.ttir"] };
    const refresh = () => bench.save({ policy: "REFRESH", profile });
    write(bench.localDir, { ...many("other", 20), "a/new.ttir": "x".repeat(9999) });
    assert.equal((await refresh()).status, "SKIPPED");
    write(bench.localDir, many("b", 20));
    assert.equal((await refresh()).status, "SUCCESS");
    assert.deepEqual(await loadElsewhere("with b"), { ...stored, ...many("b", 20) });
    // So much that the whole archive would be packed again.
    write(bench.localDir, { "b/large": "x".repeat(99_999) });
    assert.equal((await refresh()).status, "SUCCESS");
    const large = { "b/large": "x".repeat(99_999) };
    assert.deepEqual(await loadElsewhere("with more"), { ...stored, ...many("b", 20), ...large });
  });

  it("waits until young files are finished, and leaves out what is still written", async (t) => {
    const stored = { ...many("a", 5), large: "x".repeat(5000) };
    const { bench, loadElsewhere } = await benchWith(t, stored);
    const growing = join(bench.localDir, "growing");
    writeFileSync(join(bench.localDir, "young"), "finished just now");
    await keepGrowing(t, growing);
    const refreshed = await bench.save({ policy: "REFRESH" });
    assert.equal(refreshed.status, "SUCCESS");
    assert.deepEqual(leftOutOf(refreshed), { CHANGED: 1 });
    assert.deepEqual(await loadElsewhere("loaded"), {
      ...stored,
      young: "finished just now",
    });
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
