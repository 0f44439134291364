import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { scratchDir } from "../../../test/support/flow-bench.ts";
import { cannotMount, mount } from "../../../test/support/machine/mounts.ts";
import { listTree, makeTree } from "../../../test/support/trees/trees.ts";
import { clearDirectory } from "./clear-directory.ts";
import { type OpenedDirectory, openDirectory } from "./open-directory.ts";
import { removeAt } from "./tree/removal.ts";

const archive = "ns/cache_0123456789ab.latest.tar.zst";

/** A store with an archive, and a directory that may be cleared, with a place to mount in. */
function places(t: TestContext) {
  const ends: (() => void)[] = [];
  const lifetime = { after: (end: () => void) => ends.push(end) };
  // Unmounted first, the last mount before the others.
  t.after(() => {
    for (const end of ends.reverse()) end();
  });
  const dir = scratchDir(lifetime);
  const [store, local] = [join(dir, "store"), join(dir, "local")];
  makeTree(store, { [archive]: "archive" });
  makeTree(local, { "triton/kernel": "kernel", "mnt/": "" });
  const bind = (from: string, to: string) => {
    mkdirSync(to, { recursive: true });
    mount(lifetime, ["--bind", from, to], to);
  };
  const open = (below: readonly string[] = []) => {
    const path = [local, ...below].join("/");
    const allowed = { root: local, below, path, clientPath: path, apartFrom: store };
    return openDirectory(allowed, true) as OpenedDirectory;
  };
  return { dir, store, local, bind, open };
}

const refused = { reason: "PATH_NOT_ALLOWED", message: /hold each other.*by a mount/ };

describe("a store that is mounted where a clear would empty it", { skip: cannotMount }, () => {
  it("is not taken for a local directory", (t) => {
    const { store, local, bind, open } = places(t);
    bind(store, join(local, "mnt"));
    for (const below of [["mnt"], ["mnt", "ns"], [], ["mnt", "new"]])
      assert.throws(() => open(below), refused, below.join("/"));
    assert.equal(open(["triton"]).holdsFiles, true);
  });

  it("nor is a part of it, or what holds it", (t) => {
    const { dir, store, local, bind, open } = places(t);
    bind(join(store, "ns"), join(local, "part"));
    assert.throws(() => open(["part"]), refused);
    assert.throws(() => open(), refused);
    bind(dir, join(local, "mnt"));
    assert.throws(() => open(["mnt"]), refused);
    assert.equal(open(["triton"]).holdsFiles, true);
    assert.equal(
      open(["mnt", "local", "triton"]).holdsFiles,
      true,
      "which is no part of the store",
    );
  });

  it("loses nothing by a clear that does not know of it, nor by one of an old stage or marker", (t) => {
    const { store, local, bind } = places(t);
    const stage = join(local, ".compilecache-stage-0123456789abcdef");
    bind(store, join(local, "mnt"));
    bind(store, join(stage, "deep/inside"));
    bind(join(store, "ns"), join(local, ".compilecache-stage-0"));
    writeFileSync(join(stage, "deep/file"), "left over");
    utimesSync(stage, 1, 1);
    const before = listTree(store);
    const allowed = { root: local, below: [], path: local, clientPath: local };
    const directory = openDirectory(allowed, true) as OpenedDirectory;
    clearDirectory(directory, () => {});
    const fd = openSync(local, "r");
    t.after(() => closeSync(fd));
    for (const name of [".compilecache-stage-0123456789abcdef", ".compilecache-stage-0"])
      assert.throws(
        () => removeAt(fd, name, { fileCount: 0, bytes: 0 }, () => {}),
        /EBUSY|ENOTEMPTY/,
      );
    assert.deepEqual(listTree(store), before);
  });
});

describe("a marker of any kind", () => {
  const kinds: [string, (path: string) => unknown][] = [
    ["a file", (path) => writeFileSync(path, "")],
    ["a FIFO", (path) => execFileSync("mkfifo", [path])],
    ["a link", (path) => execFileSync("ln", ["-s", "/etc", path])],
    ["a directory", (path) => makeTree(path, { "a/b": "c" })],
  ];
  for (const [what, make] of kinds)
    it(`marks, and is cleared: ${what}`, (t) => {
      const { local, open } = places(t);
      make(join(local, ".compilecache-not-loaded"));
      const directory = open();
      assert.equal(directory.notLoaded, true);
      clearDirectory(directory, () => {});
      assert.deepEqual(listTree(local), []);
      assert.equal(open().notLoaded, false);
    });
});
