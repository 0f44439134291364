import assert from "node:assert/strict";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { presentOfFiles } from "./file-clock.ts";

const hourMs = 3_600_000;

/** An open directory on a file system of a certain kind, whose clock differs by `skewMs`. */
function openOn(t: TestContext, type: number, skewMs: number) {
  const dir = fs.mkdtempSync(join(tmpdir(), "compilecache-test-"));
  const fd = fs.openSync(dir, "r");
  t.after(() => {
    fs.closeSync(fd);
    t.mock.restoreAll();
    syncBuiltinESMExports();
    fs.rmSync(dir, { recursive: true, force: true });
  });
  t.mock.method(fs, "statfsSync", () => ({ type }));
  t.mock.method(fs, "fstatSync", () => ({ mtimeMs: Date.now() + skewMs }));
  syncBuiltinESMExports();
  return { dir, fd };
}

describe("presentOfFiles", () => {
  const nfs = 0x6969;
  const ext4 = 0xef53;

  it("is the time of a file server that is behind, and leaves nothing there", (t) => {
    const { dir, fd } = openOn(t, nfs, -hourMs);
    assert.ok(presentOfFiles(fd) <= Date.now() - hourMs);
    assert.deepEqual(fs.readdirSync(dir), []);
  });

  it("is this machine's where the server is ahead, or files are dated here", (t) => {
    for (const [type, skewMs] of [
      [nfs, hourMs],
      [ext4, -hourMs],
    ] as const) {
      const before = Date.now();
      const { fd } = openOn(t, type, skewMs);
      const nowMs = presentOfFiles(fd);
      assert.ok(nowMs >= before && nowMs <= Date.now());
      t.mock.restoreAll();
    }
  });

  it("is this machine's where no file can be made", (t) => {
    const { dir, fd } = openOn(t, nfs, -hourMs);
    fs.rmdirSync(dir);
    const before = Date.now();
    assert.ok(presentOfFiles(fd) >= before);
  });
});
