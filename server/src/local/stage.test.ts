import assert from "node:assert/strict";
import fs, {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { eventually } from "../../../test/support/eventually.ts";
import {
  cannotBeNobody,
  nobody,
  runAsNobody,
  serverModule,
} from "../../../test/support/machine/as-user.ts";
import { assertNothingOpen } from "../../../test/support/refusal.ts";
import { makeTree } from "../../../test/support/trees/trees.ts";
import { createAllowedDirs } from "./allowed-dirs.ts";
import { type OpenedDirectory, openDirectory } from "./open-directory.ts";
import { makeStage, type OpenStage, publishStage, removeStage, touchStage } from "./stage.ts";

const marker = ".compilecache-not-loaded";
const unhindered = () => {};

/** A local directory with what `files` names, and a stage for it with what `staged` names. */
function staging(
  t: TestContext,
  staged: Record<string, string>,
  files: Record<string, string> = {},
  where: "beside" | "inside" = "beside",
) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "compilecache-test-")));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const path = join(root, "dir");
  makeTree(path, files);
  const allowedRoot = where === "beside" ? root : path;
  const allowed = createAllowedDirs([{ clientPath: allowedRoot, daemonPath: allowedRoot }]);
  const directory = openDirectory(allowed.resolve(path, "local_dir"), true) as OpenedDirectory;
  const stage = makeStage(directory, false, unhindered);
  makeTree(stagePath({ root, path }, stage), staged);
  const close = () => {
    closeSync(stage.fd);
    closeSync(directory.fd);
    if (directory.parentFd !== undefined) closeSync(directory.parentFd);
  };
  const publish = (overwrite: boolean, exact = false) => {
    try {
      publishStage(directory, stage, { overwrite, exact }, unhindered);
    } finally {
      removeStage(stage);
      close();
    }
  };
  return { root, path, directory, stage, publish, close };
}

function stagePath({ root, path }: { root: string; path: string }, stage: OpenStage): string {
  return existsSync(join(root, stage.name)) ? join(root, stage.name) : join(path, stage.name);
}

/** The contents of the files below a directory, by path; the path of an empty directory ends in `/`. */
function contents(dir: string, prefix = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    const name = prefix + entry.name;
    if (entry.isFile()) found[name] = readFileSync(path, "utf8");
    else if (entry.isSymbolicLink()) found[name] = "a link";
    else if (readdirSync(path).length === 0) found[`${name}/`] = "";
    else Object.assign(found, contents(path, `${name}/`));
  }
  return found;
}

/** Makes each entry look `seconds(name)` older than it is, by the file system's clock. */
function age(t: TestContext, seconds: (name: string) => number): void {
  const system = fs as { lstatSync: unknown };
  const real = fs.lstatSync;
  const aged = (path: string, options: object) => {
    const stat = real(path, options) as Stats | undefined;
    if (stat) stat.ctimeMs -= 1000 * seconds(basename(path));
    return stat;
  };
  system.lstatSync = aged;
  syncBuiltinESMExports();
  t.after(() => {
    system.lstatSync = real;
    syncBuiltinESMExports();
  });
}

describe("a stage", () => {
  it("is a directory that no other user may enter, beside or inside", async (t) => {
    for (const where of ["beside", "inside"] as const) {
      const { root, path, stage, close } = staging(t, {}, {}, where);
      const place = join(where === "beside" ? root : path, stage.name);
      assert.equal(statSync(place).mode & 0o777, 0o700);
      assert.equal(lstatSync(place).uid, process.getuid?.());
      removeStage(stage);
      assert.ok(!existsSync(place));
      removeStage(stage);
      close();
      await assertNothingOpen(root);
    }
  });

  it("is removed by the next one when it was not touched for a minute", (t) => {
    const { root, directory, stage, close } = staging(t, {});
    const ages: Record<string, number> = {
      ".compilecache-stage-old": 61,
      ".compilecache-stage-young": 50,
      "old-but-not-ours": 1000,
    };
    for (const name of Object.keys(ages)) makeTree(join(root, name), { "deep/file": "x" });
    age(t, (name) => ages[name] ?? 0);
    const next = makeStage(directory, false, unhindered);
    const left = [".compilecache-stage-young", "dir", "old-but-not-ours", next.name, stage.name];
    assert.deepEqual(readdirSync(root).sort(), left.sort());
    removeStage(next);
    closeSync(next.fd);
    close();
  });

  it("is alive when it was touched, even if this machine's clock is wrong", async (t) => {
    const { directory, stage, root, close } = staging(t, { file: "x" });
    const RealDate = globalThis.Date;
    t.after(() => {
      globalThis.Date = RealDate;
    });
    globalThis.Date = class extends RealDate {
      constructor() {
        super(RealDate.now() - 3_600_000);
      }
    } as DateConstructor;
    touchStage(stage);
    globalThis.Date = RealDate;
    await eventually(
      "the touch",
      () => statSync(join(root, stage.name)).mtimeMs <= RealDate.now() - 3_000_000,
    );
    const next = makeStage(directory, false, unhindered);
    assert.ok(existsSync(join(root, stage.name)), "a live stage was removed");
    removeStage(next);
    closeSync(next.fd);
    close();
  });

  it("of another user does not get in the way", { skip: cannotBeNobody }, (t) => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "compilecache-test-")));
    t.after(() => rmSync(root, { recursive: true, force: true }));
    chmodSync(root, 0o1777);
    makeTree(join(root, ".compilecache-stage-abandoned"), { file: "x" });
    chmodSync(join(root, ".compilecache-stage-abandoned"), 0o700);
    const made = runAsNobody(`
      import { createAllowedDirs } from ${serverModule("local/allowed-dirs.ts")};
      import { openDirectory } from ${serverModule("local/open-directory.ts")};
      import { makeStage } from ${serverModule("local/stage.ts")};
      import fs from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      const real = fs.lstatSync;
      fs.lstatSync = (path, options) => {
        const stat = real(path, options);
        if (path.endsWith("abandoned")) stat.ctimeMs = 1000;
        return stat;
      };
      syncBuiltinESMExports();
      const root = ${JSON.stringify(root)};
      const place = createAllowedDirs([{ clientPath: root, daemonPath: root }]).resolve(root + "/dir", "x");
      console.log(JSON.stringify(makeStage(openDirectory(place, true), false, () => {})));
    `) as OpenStage;
    assert.deepEqual(
      readdirSync(root).sort(),
      [".compilecache-stage-abandoned", made.name, "dir"].sort(),
    );
  });

  it("that is a link by now is removed without being followed", (t) => {
    const { root, directory, close } = staging(t, {});
    makeTree(join(root, "precious"), { file: "x" });
    symlinkSync("precious", join(root, ".compilecache-stage-link"));
    const next = makeStage(directory, false, unhindered);
    assert.ok(existsSync(join(root, "precious/file")));
    removeStage(next);
    closeSync(next.fd);
    close();
  });
});

describe("publishing a stage", () => {
  for (const where of ["beside", "inside"] as const) {
    it(`fills an empty directory (${where})`, async (t) => {
      const { root, path, publish } = staging(
        t,
        { "a/b/file": "1", top: "2", "empty/": "" },
        {},
        where,
      );
      chmodSync(path, 0o750);
      const inode = statSync(path).ino;
      publish(false);
      assert.deepEqual(contents(path), { "a/b/file": "1", "empty/": "", top: "2" });
      assert.equal(statSync(path).mode & 0o7777, 0o750);
      assert.equal(statSync(path).ino === inode, where === "inside", "in one step where it can be");
      assert.deepEqual(readdirSync(root), ["dir"]);
      await assertNothingOpen(root);
    });

    it(`finishes a directory that is marked as not loaded (${where})`, (t) => {
      const { path, publish } = staging(
        t,
        { a: "new", "d/b": "new" },
        { [marker]: "", "d/c": "old" },
        where,
      );
      publish(false);
      assert.deepEqual(contents(path), { a: "new", "d/b": "new", "d/c": "old" });
    });

    it(`to merge adds what is missing, and overwrites nothing (${where})`, (t) => {
      const there = {
        "a/same": "mine",
        "b/only-mine": "mine",
        "x.lock": "locked",
        "dir-here/file": "mine",
        "file-here": "mine",
        "empty-here/": "",
      };
      const staged = {
        "a/same": "theirs",
        "a/new": "theirs",
        "c/d/new": "theirs",
        "dir-here": "theirs",
        "file-here/below": "theirs",
        "empty-here/new": "theirs",
        "empty-there/": "",
      };
      const { path, publish } = staging(t, staged, there, where);
      publish(false);
      assert.deepEqual(contents(path), {
        "a/new": "theirs",
        "a/same": "mine",
        "b/only-mine": "mine",
        "c/d/new": "theirs",
        "dir-here/file": "mine",
        "empty-here/new": "theirs",
        "empty-there/": "",
        "file-here": "mine",
        "x.lock": "locked",
      });
    });

    it(`to replace overwrites, and removes all but locks (${where})`, (t) => {
      const there = {
        "a/same": "mine",
        "a/extra": "mine",
        "b/only/extra": "mine",
        "x.lock": "locked",
        "locks/y": "locked",
        "a/z.lock": "locked",
        "gone/deep/w.lock": "locked",
        "gone/deep/extra": "mine",
        "dir-here/file": "mine",
        "file-here": "mine",
        "empty-extra/": "",
      };
      const staged = {
        "a/same": "theirs",
        "c/new": "theirs",
        "dir-here": "theirs",
        "file-here/below": "theirs",
      };
      const { path, publish } = staging(t, staged, there, where);
      publish(true, true);
      assert.deepEqual(contents(path), {
        "a/same": "theirs",
        "a/z.lock": "locked",
        "c/new": "theirs",
        "dir-here": "theirs",
        "file-here/below": "theirs",
        "gone/deep/w.lock": "locked",
        "locks/y": "locked",
        "x.lock": "locked",
      });
    });

    it(`leaves links that are in no file's way, whether it merges or replaces (${where})`, (t) => {
      for (const exact of [false, true]) {
        const staged = { new: "theirs", "link-to-file": "theirs" };
        const { root, path, publish } = staging(t, exact ? { new: "theirs" } : staged, {}, where);
        makeTree(join(root, "outside"), { file: "precious" });
        symlinkSync(join(root, "outside"), join(path, "link-to-dir"));
        symlinkSync(join(root, "outside/file"), join(path, "link-to-file"));
        symlinkSync("nowhere", join(path, "dangling"));
        publish(exact, exact);
        assert.deepEqual(contents(join(root, "outside")), { file: "precious" });
        assert.deepEqual(contents(path), {
          dangling: "a link",
          "link-to-dir": "a link",
          "link-to-file": "a link",
          new: "theirs",
        });
      }
    });

    it(`refuses to put files where a link is, and changes nothing (${where})`, (t) => {
      const inTheWay = (staged: Record<string, string>, link: string, exact: boolean) => {
        const { root, path, publish } = staging(t, { a: "theirs", ...staged }, {}, where);
        makeTree(join(root, "outside"), { file: "precious" });
        makeTree(path, { "d/extra": "mine" });
        symlinkSync(join(root, "outside"), join(path, link));
        assert.throws(() => publish(exact, exact), {
          reason: "PATH_NOT_ALLOWED",
          message: new RegExp(`${link}" is a symbolic link`),
        });
        const [top = "", below] = link.split("/");
        assert.deepEqual(
          contents(path),
          below ? { "d/extra": "mine", [link]: "a link" } : { "d/extra": "mine", [top]: "a link" },
        );
        assert.deepEqual(contents(join(root, "outside")), { file: "precious" });
      };
      for (const exact of [false, true]) {
        inTheWay({ "triton/0/kernel": "theirs" }, "triton", exact);
        inTheWay({ "d/triton/kernel": "theirs" }, "d/triton", exact);
      }
      inTheWay({ file: "theirs" }, "file", true);
    });
  }

  it("gives all to the directory's group", { skip: cannotBeNobody }, (t) => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "compilecache-test-")));
    t.after(() => rmSync(root, { recursive: true, force: true }));
    const path = join(root, "dir");
    mkdirSync(path);
    chownSync(path, 0, nobody);
    const allowed = createAllowedDirs([{ clientPath: root, daemonPath: root }]);
    const directory = openDirectory(allowed.resolve(path, "local_dir"), true) as OpenedDirectory;
    const stage = makeStage(directory, false, unhindered);
    publishStage(directory, stage, { overwrite: false, exact: false }, unhindered);
    for (const fd of [stage.fd, directory.fd, directory.parentFd as number]) closeSync(fd);
    assert.equal(lstatSync(path).uid, 0);
    assert.equal(lstatSync(path).gid, nobody);
  });

  it("stops in the middle with the marker set, and can be continued", (t) => {
    const { root, path, directory, stage, close } = staging(
      t,
      { a: "1", b: "2", c: "3" },
      { mine: "0" },
    );
    let steps = 0;
    const stopping = () => {
      if (++steps > 5) throw new Error("stopped");
    };
    assert.throws(
      () => publishStage(directory, stage, { overwrite: false, exact: false }, stopping),
      /stopped/,
    );
    assert.ok(existsSync(join(path, marker)));
    publishStage(directory, stage, { overwrite: false, exact: false }, unhindered);
    removeStage(stage);
    assert.deepEqual(contents(path), { a: "1", b: "2", c: "3", mine: "0" });
    assert.deepEqual(readdirSync(root), ["dir"]);
    close();
  });

  it("does not follow a marker that is a link", (t) => {
    const { root, path, publish } = staging(t, { a: "1" }, { mine: "0" });
    symlinkSync(join(root, "made-by-marker"), join(path, marker));
    publish(false);
    assert.ok(!existsSync(join(root, "made-by-marker")));
    assert.deepEqual(contents(path), { a: "1", mine: "0" });
  });
});
