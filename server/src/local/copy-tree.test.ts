import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import {
  cannotBeNobody,
  runAsNobody,
  serverModule,
} from "../../../test/support/machine/as-user.ts";
import { cannotMount, mountTmpfs } from "../../../test/support/machine/mounts.ts";
import { assertNothingOpen } from "../../../test/support/refusal.ts";
import { listTree, makeTree, noise } from "../../../test/support/trees/trees.ts";
import { createAllowedDirs } from "./allowed-dirs.ts";
import { type CopySource, copyItems, listSource, openSource } from "./copy-tree.ts";

/** An allowed directory with `from` in it, and an empty one to copy to. */
function places(t: TestContext, target?: string) {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "compilecache-test-")));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const root = join(dir, "allowed");
  const from = join(root, "from");
  const to = target ?? join(dir, "to");
  mkdirSync(root);
  mkdirSync(to, { recursive: true });
  const allowed = createAllowedDirs([{ clientPath: root, daemonPath: root }]);
  const open = (path: string) => openSource(allowed.resolve(join(root, path), "source"));
  const copy = (source: CopySource, items = listSource(source), checkpoint = () => {}) => {
    const stageFd = openSync(to, "r");
    try {
      return copyItems({ source, items, stageFd, asName: "as-named", shownAs: to }, checkpoint);
    } finally {
      closeSync(stageFd);
      closeSync(source.fd);
    }
  };
  return { dir, root, from, to, open, copy };
}

describe("a copy", () => {
  it("has all files and directories, their times and executable bits, and nothing else", async (t) => {
    const { dir, from, to, open, copy } = places(t);
    makeTree(from, {
      "a/b/c": noise(3 << 20),
      "x.lock": "locks are copied",
      ".hidden": "1",
      "empty/": "",
      zero: "",
      "bin/run": { content: "x", mode: 0o755 },
      old: { content: "y", mtime: 5 },
      "größe\n": "z",
    });
    const expected = listTree(from);
    symlinkSync("/etc/passwd", join(from, "link"));
    symlinkSync("a", join(from, "link-to-directory"));
    execFileSync("mkfifo", [join(from, "fifo")]);
    assert.deepEqual(copy(open("from")), { fileCount: 7, bytes: 3 * 2 ** 20 + 16 + 1 + 1 + 1 + 1 });
    assert.deepEqual(listTree(to), expected);
    await assertNothingOpen(dir);
  });

  it("of a file has the name that it is to have", (t) => {
    const { root, to, open, copy } = places(t);
    makeTree(root, { file: "content" });
    const source = open("file");
    assert.equal(source.kind, "file");
    assert.deepEqual(copy(source), { fileCount: 1, bytes: 7 });
    assert.deepEqual(readdirSync(to), ["as-named"]);
  });

  it("of nothing, of a link, or of a device is refused", async (t) => {
    const { dir, root, open } = places(t);
    symlinkSync("/etc", join(root, "link"));
    execFileSync("mkfifo", [join(root, "fifo")]);
    assert.throws(() => open("not-there"), { reason: "INVALID_REQUEST" });
    assert.throws(() => open("not/there"), { reason: "INVALID_REQUEST" });
    for (const path of ["link", "link/passwd", "fifo"])
      assert.throws(() => open(path), { reason: "PATH_NOT_ALLOWED" }, path);
    await assertNothingOpen(dir);
  });

  it("needs only search permission in the directories above", { skip: cannotBeNobody }, (t) => {
    const { dir, root } = places(t);
    makeTree(root, { "a-private/file": "x", "from/file": "content" });
    chmodSync(join(root, "a-private"), 0o700);
    for (const path of [root, dir]) chmodSync(path, 0o711);
    const seen = runAsNobody(`
      import { createAllowedDirs } from ${serverModule("local/allowed-dirs.ts")};
      import { openSource } from ${serverModule("local/copy-tree.ts")};
      const root = ${JSON.stringify(root)};
      const allowed = createAllowedDirs([{ clientPath: root, daemonPath: root }]);
      const kinds = ["from", "from/file"].map((path) => openSource(allowed.resolve(root + "/" + path, "x")).kind);
      console.log(JSON.stringify(kinds));`);
    assert.deepEqual(seen, ["directory", "file"]);
  });

  it("follows nothing that replaces a directory while it runs", async (t) => {
    const { dir, from, to, open, copy } = places(t);
    makeTree(join(dir, "outside"), { secret: "secret" });
    makeTree(from, { "a/secret": "mine" });
    const source = open("from");
    const items = listSource(source);
    rmSync(join(from, "a"), { recursive: true });
    symlinkSync(join(dir, "outside"), join(from, "a"));
    assert.throws(() => copy(source, items));
    assert.ok(!JSON.stringify(listTree(to)).includes("secret"));
    await assertNothingOpen(dir);
  });

  it("overwrites nothing", (t) => {
    const { from, to, open, copy } = places(t);
    makeTree(from, { file: "new" });
    writeFileSync(join(to, "file"), "old");
    assert.throws(() => copy(open("from")));
  });

  it("stops when it is told to, in a file too", async (t) => {
    const { dir, from, open, copy } = places(t);
    makeTree(from, { large: noise(8 << 20) });
    let steps = 0;
    const stopping = () => {
      if (++steps > 3) throw new Error("stopped");
    };
    const source = open("from");
    assert.throws(() => copy(source, listSource(source), stopping), /stopped/);
    await assertNothingOpen(dir);
  });

  it("is INSUFFICIENT_SPACE on a full file system", { skip: cannotMount }, (t) => {
    const { from, open, copy } = places(t, mountTmpfs(t, "size=1m"));
    makeTree(from, { large: noise(2 << 20) });
    assert.throws(() => copy(open("from")), { reason: "INSUFFICIENT_SPACE" });
  });
});
