import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import {
  cannotBeNobody,
  nobody,
  runAsNobody,
  serverModule,
} from "../../../test/support/machine/as-user.ts";
import { cannotMount } from "../../../test/support/machine/mounts.ts";
import { assertNothingOpen } from "../../../test/support/refusal.ts";
import { createAllowedDirs } from "./allowed-dirs.ts";
import { type OpenedDirectory, openDirectory, type UsersDirectory } from "./open-directory.ts";

const notAllowed = { reason: "PATH_NOT_ALLOWED" };

/** A directory in which all is allowed. */
function allowedDir(t: TestContext) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "compilecache-test-")));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const allowed = createAllowedDirs([{ clientPath: root, daemonPath: root }]);
  const open = (path: string, create = false) =>
    openDirectory(allowed.resolve(join(root, path), "local_dir"), create) as
      | OpenedDirectory
      | undefined;
  return { root, open };
}

function close(directory: OpenedDirectory | undefined): void {
  assert.ok(directory);
  closeSync(directory.fd);
  if (directory.parentFd !== undefined) closeSync(directory.parentFd);
}

/** Opens a directory, closes it, and tells what was seen. */
function look(open: () => OpenedDirectory | undefined): OpenedDirectory {
  const directory = open();
  close(directory);
  return directory as OpenedDirectory;
}

describe("opening a local directory", () => {
  it("makes what is missing, or nothing", async (t) => {
    const { root, open } = allowedDir(t);
    assert.equal(open("a/b/c"), undefined);
    assert.deepEqual(readdirSync(root), []);
    const directory = look(() => open("a/b/c", true));
    assert.equal(directory.path, join(root, "a/b/c"));
    assert.equal(directory.name, "c");
    assert.ok(statSync(join(root, "a/b/c")).isDirectory());
    await assertNothingOpen(root);
  });

  it("tells whether it holds a file that a save would take", (t) => {
    const { root, open } = allowedDir(t);
    mkdirSync(join(root, "dir/empty/below"), { recursive: true });
    const holdsFiles = () => look(() => open("dir")).holdsFiles;
    assert.equal(holdsFiles(), false);
    mkdirSync(join(root, "dir/locks"));
    writeFileSync(join(root, "dir/locks/a"), "");
    for (const name of ["a.lock", ".compilecache-x", "x.tmp"])
      writeFileSync(join(root, "dir", name), "");
    symlinkSync("/etc/passwd", join(root, "dir/link"));
    symlinkSync("/etc", join(root, "dir/link-to-directory"));
    assert.equal(holdsFiles(), false);
    writeFileSync(join(root, "dir/empty/below/file"), "");
    assert.equal(holdsFiles(), true);
  });

  it("tells whether it is marked as not loaded", (t) => {
    const { root, open } = allowedDir(t);
    mkdirSync(join(root, "dir"));
    assert.equal(look(() => open("dir")).notLoaded, false);
    writeFileSync(join(root, "dir/.compilecache-not-loaded"), "");
    assert.equal(look(() => open("dir")).notLoaded, true);
  });

  it("follows no link, in any component", async (t) => {
    const { root, open } = allowedDir(t);
    mkdirSync(join(root, "real/below"), { recursive: true });
    symlinkSync("real", join(root, "inside"));
    symlinkSync("/etc", join(root, "outside"));
    symlinkSync("nowhere", join(root, "dangling"));
    symlinkSync("below", join(root, "real/last"));
    for (const path of [
      "inside",
      "inside/below",
      "outside",
      "outside/ssh",
      "dangling",
      "dangling/x",
      "real/last",
    ])
      for (const create of [false, true]) assert.throws(() => open(path, create), notAllowed, path);
    assert.ok(!existsSync(join(root, "nowhere")));
    await assertNothingOpen(root);
  });

  it("follows no link that took the allowed directory's own place", (t) => {
    const { root, open } = allowedDir(t);
    renameSync(root, `${root}-moved`);
    t.after(() => rmSync(`${root}-moved`, { recursive: true }));
    symlinkSync(`${root}-moved`, root);
    assert.throws(() => open(""), notAllowed);
    assert.throws(() => open("x", true), notAllowed);
    assert.deepEqual(readdirSync(`${root}-moved`), []);
  });

  it("takes no file for a directory", async (t) => {
    const { root, open } = allowedDir(t);
    writeFileSync(join(root, "file"), "");
    for (const path of ["file", "file/x"]) assert.throws(() => open(path, true), notAllowed);
    await assertNothingOpen(root);
  });

  it("can replace it whole where the directory above is allowed", (t) => {
    const { open } = allowedDir(t);
    assert.equal(look(() => open("dir", true)).replaceable, true);
    const allowed = look(() => open(""));
    assert.equal(allowed.replaceable, false);
    assert.equal(allowed.parentFd, undefined);
  });

  for (const name of ["plain", "with space", "new\nline", "back\\slash", "tab\t", "größe", "#hash"])
    it(`cannot replace a mount point (${JSON.stringify(name)})`, { skip: cannotMount }, (t) => {
      const { root, open } = allowedDir(t);
      mkdirSync(join(root, name));
      mkdirSync(join(root, "source"));
      const target = join(root, name);
      // A bind mount of the same file system: the device does not tell.
      execFileSync("mount", ["--bind", join(root, "source"), target]);
      try {
        assert.equal(look(() => open(name)).replaceable, false);
        assert.equal(look(() => open(`${name}/below`, true)).replaceable, true);
      } finally {
        execFileSync("umount", [target]);
      }
    });

  it("goes no further into another user's directory", { skip: cannotBeNobody }, (t) => {
    const { root, open } = allowedDir(t);
    assert.equal(look(() => open("mine", true)).group, undefined);
    mkdirSync(join(root, "theirs"));
    chownSync(join(root, "theirs"), nobody, nobody);
    for (const [path, missing] of [
      ["theirs", []],
      ["theirs/a/b", ["a", "b"]],
    ] as const) {
      const found = open(path, true) as unknown as UsersDirectory;
      assert.deepEqual(found.user, { uid: nobody, directoryGid: nobody });
      assert.deepEqual(found.missing, missing);
      assert.equal(found.parentFd === undefined, path !== "theirs");
      for (const fd of [found.fd, found.parentFd]) if (fd !== undefined) closeSync(fd);
    }
    assert.deepEqual(readdirSync(join(root, "theirs")), []);
  });

  it("of root in another user's cannot be replaced", { skip: cannotBeNobody }, (t) => {
    const { root, open } = allowedDir(t);
    mkdirSync(join(root, "theirs/mine"), { recursive: true });
    assert.equal(look(() => open("theirs/mine")).replaceable, true);
    chownSync(join(root, "theirs"), nobody, nobody);
    assert.equal(look(() => open("theirs/mine")).replaceable, false);
  });

  it("has its group if that is another", { skip: cannotBeNobody }, (t) => {
    const { root, open } = allowedDir(t);
    mkdirSync(join(root, "shared"));
    chownSync(join(root, "shared"), 0, nobody);
    assert.equal(look(() => open("shared")).group, nobody);
  });
});

describe("opening a local directory without privileges", { skip: cannotBeNobody }, () => {
  /** Opens a directory as another user, and returns what that saw, or the reason of its refusal. */
  function openAsNobody(root: string, path: string): Record<string, unknown> {
    return runAsNobody(`
      import { createAllowedDirs } from ${serverModule("local/allowed-dirs.ts")};
      import { openDirectory } from ${serverModule("local/open-directory.ts")};
      const root = ${JSON.stringify(root)};
      const allowed = createAllowedDirs([{ clientPath: root, daemonPath: root }]);
      const place = allowed.resolve(${JSON.stringify(join(root, path))}, "local_dir");
      try {
        console.log(JSON.stringify(openDirectory(place, true)));
      } catch (error) {
        console.log(JSON.stringify({ reason: error.reason ?? String(error), message: error.message }));
      }`) as Record<string, unknown>;
  }

  function theirDir(root: string, path: string): void {
    mkdirSync(join(root, path), { recursive: true });
    chownSync(join(root, path), nobody, nobody);
  }

  it("goes through directories that may be searched, but not read", (t) => {
    const { root } = allowedDir(t);
    theirDir(root, "home/user/cache");
    for (const path of ["", "home", "home/user"]) chmodSync(join(root, path), 0o711);
    const opened = openAsNobody(root, "home/user/cache");
    assert.equal(opened.path, join(root, "home/user/cache"), JSON.stringify(opened));
    assert.equal(opened.replaceable, false);
  });

  it("cannot replace a directory whose parent it may not write in", (t) => {
    const { root } = allowedDir(t);
    chmodSync(root, 0o755);
    theirDir(root, "cache");
    assert.equal(openAsNobody(root, "cache").replaceable, false);
    assert.equal(openAsNobody(root, "cache/own").replaceable, true);
  });

  it("is PATH_NOT_ALLOWED where it may not go, make or read", (t) => {
    const { root } = allowedDir(t);
    chmodSync(root, 0o755);
    mkdirSync(join(root, "closed/below"), { recursive: true });
    chmodSync(join(root, "closed"), 0o700);
    assert.equal(openAsNobody(root, "closed/below").reason, "PATH_NOT_ALLOWED");
    assert.equal(openAsNobody(root, "closed").reason, "PATH_NOT_ALLOWED");
    assert.equal(openAsNobody(root, "not-there").reason, "PATH_NOT_ALLOWED");
  });

  it("passes over what it may not list in a directory that it may", (t) => {
    const { root } = allowedDir(t);
    chmodSync(root, 0o755);
    theirDir(root, "cache");
    mkdirSync(join(root, "cache/lost+found"), { mode: 0o700 });
    writeFileSync(join(root, "cache/theirs"), "", { mode: 0o600 });
    assert.equal(openAsNobody(root, "cache").holdsFiles, false);
    writeFileSync(join(root, "cache/file"), "");
    assert.equal(openAsNobody(root, "cache").holdsFiles, true);
  });
});
