import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { makeTree } from "../../../../test/support/trees/trees.ts";
import { listFiles, settledAfterMs } from "./scan.ts";

const options = {
  unstable: [],
  profile: { include: [], exclude: [] },
  format: "tar.zst",
} as const;

function openTree(t: TestContext, files: Parameters<typeof makeTree>[1]) {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  makeTree(dir, files);
  const fd = openSync(dir, "r");
  t.after(() => closeSync(fd));
  return { dir, fd };
}

const names = (files: readonly { name: string }[]) => files.map(({ name }) => name).sort();
const unhindered = () => {};

describe("listing the files of a save", () => {
  it("does not take a file for finished that is written while the listing runs, however long", (t) => {
    const { dir, fd } = openTree(t, { "a/first": "1", "b/second": "2" });
    const laterMs = Date.now() + 3 * settledAfterMs;
    const { young, files } = listFiles(fd, options, () => {
      for (const path of ["a/first", "b/second"]) {
        writeFileSync(join(dir, path), "half");
        utimesSync(join(dir, path), laterMs / 1000, laterMs / 1000);
      }
    });
    // It had looked at one of them before.
    assert.equal(young.length, 1);
    assert.equal(files.length, 1);
  });

  it("takes a file whose time lies ahead once it is seen unchanged, by whatever clock", (t) => {
    const ahead = Math.floor(Date.now() / 1000) + 3600;
    const { dir, fd } = openTree(t, {
      same: { content: "1", mtime: ahead },
      growing: { content: "1", mtime: ahead },
      old: "1",
    });
    const first = listFiles(fd, options, unhindered);
    assert.deepEqual(names(first.files), ["old"]);
    assert.ok(first.settledAtMs <= Date.now() + settledAfterMs, "the time ahead is not waited for");
    writeFileSync(join(dir, "growing"), "12");
    utimesSync(join(dir, "growing"), ahead, ahead);
    const second = listFiles(fd, { ...options, seen: first.young }, unhindered);
    assert.deepEqual(names(second.files), ["old", "same"]);
    assert.deepEqual(names(second.young), ["growing"]);
  });

  it("leaves out what no load would take", (t) => {
    const deep = Array.from({ length: 21 }, () => "d".repeat(190)).join("/");
    const { dir, fd } = openTree(t, { "line\nbreak": "1", "a\ufffd": "1", plain: "1" });
    const long = join("long".padEnd(255, "x"), "line\nbreak");
    makeTree(dir, { [long]: "1", [deep.slice(0, 3000)]: "1" });
    const zst = listFiles(fd, options, unhindered);
    assert.deepEqual(zst.leftOut, []);
    const gz = listFiles(fd, { ...options, format: "tar.gz" }, unhindered);
    assert.deepEqual(gz.leftOut[0]?.fileCount, 2);
    assert.ok(names(gz.files).includes("line\nbreak"));
  });
});
