import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type AllowedDir, canonical, createAllowedDirs, isWithin } from "./allowed-dirs.ts";

const same = (path: string): AllowedDir => ({ clientPath: path, daemonPath: path });
const judge = (...dirs: AllowedDir[]) => {
  const allowed = createAllowedDirs(dirs);
  return (path: string) => allowed.resolve(path, "local_dir").path;
};
const notAllowed = { reason: "PATH_NOT_ALLOWED" };
const malformed = { reason: "INVALID_REQUEST", violations: [{ field: "local_dir" }] };

describe("allowed directories", () => {
  it("allow themselves and what lies below, however it is written", () => {
    const resolve = judge(same("/allowed/dir"));
    for (const path of [
      "/allowed/dir",
      "/allowed/dir/",
      "/allowed//dir",
      "/allowed/./dir/.",
      "//allowed/dir",
    ])
      assert.equal(resolve(path), "/allowed/dir", path);
    for (const path of ["/allowed/dir/a/b", "/allowed/dir//a/./b///", "/allowed/dir/x/../a/b"])
      assert.equal(resolve(path), "/allowed/dir/a/b", path);
    assert.equal(resolve("/allowed/dir/ a\nb/ü"), "/allowed/dir/ a\nb/ü");
    assert.equal(resolve("/allowed/dir/..."), "/allowed/dir/...");
  });

  it("allow nothing else", () => {
    const resolve = judge(same("/allowed/dir"), same("/other"));
    const outside = [
      "/",
      "/allowed",
      "/allowed/",
      "/allowed/dir-evil",
      "/allowed/dirx",
      "/allowed/di",
      "/allowed/dir/..",
      "/allowed/dir/../dir-evil",
      "/allowed/dir/../../etc",
      "/allowed/dir/a/../../x",
      "/Allowed/dir",
      "/etc/passwd",
      "/otherwise",
      "/allowed/dir\\..\\x/../..",
    ];
    for (const path of outside) assert.throws(() => resolve(path), notAllowed, path);
  });

  it("refuse a path that is not absolute", () => {
    const resolve = judge(same("/allowed"), same("/"));
    for (const path of [
      "",
      ".",
      "allowed",
      "./allowed",
      "../allowed",
      "~/x",
      "/allowed/\0",
      "/allowed\0/x",
    ])
      assert.throws(
        () => resolve(path),
        (error: { reason: string; violations: { field: string }[] }) => {
          assert.equal(error.reason, malformed.reason, path);
          assert.equal(error.violations[0]?.field, "local_dir");
          return true;
        },
      );
  });

  it("name themselves when they refuse", () => {
    assert.throws(() => judge(same("/a"), same("/b"))("/c"), {
      message:
        'local_dir "/c" is outside the allowed directories (COMPILE_CACHE_ALLOWED_DIRS): /a, /b. Name one in there, or have the daemon started with this one allowed too',
    });
  });

  it("may be the root of all", () => {
    const allowed = createAllowedDirs([same("/")]);
    assert.deepEqual(allowed.resolve("/a/b", "x").below, ["a", "b"]);
    assert.equal(allowed.resolve("/a/b", "x").path, "/a/b");
    assert.equal(allowed.resolve("/", "x").path, "/");
  });

  it("are seen elsewhere by the daemon where that was said", () => {
    const resolve = judge({ clientPath: "/cache/", daemonPath: "/host/pods/1/cache/" });
    assert.equal(resolve("/cache"), "/host/pods/1/cache");
    assert.equal(resolve("/cache/a/../b"), "/host/pods/1/cache/b");
    assert.equal(resolve("/host/pods/1/cache/b"), "/host/pods/1/cache/b");
    for (const path of ["/cache-evil", "/host/pods/1", "/host/pods/2/cache", "/cache/../etc"])
      assert.throws(() => resolve(path), notAllowed, path);
  });

  it("lead where the client means, not where the daemon has something of that name", () => {
    const resolve = judge(
      { clientPath: "/cache", daemonPath: "/scratch" },
      { clientPath: "/scratch", daemonPath: "/var/scratch" },
    );
    assert.equal(resolve("/cache/x"), "/scratch/x");
    assert.equal(resolve("/scratch/x"), "/var/scratch/x");
  });

  it("lead by the longest name that fits", () => {
    const resolve = judge(
      same("/a"),
      { clientPath: "/a/b", daemonPath: "/elsewhere" },
      same("/a/b/c"),
    );
    assert.equal(resolve("/a/x"), "/a/x");
    assert.equal(resolve("/a/b/x"), "/elsewhere/x");
    assert.equal(resolve("/a/b/c/x"), "/a/b/c/x");
  });

  it("may be reached by links that were there at the start, and only those", (t) => {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), "compilecache-test-")));
    t.after(() => rmSync(dir, { recursive: true }));
    mkdirSync(join(dir, "real"));
    symlinkSync("real", join(dir, "link"));
    const resolve = judge(same(join(dir, "link")));
    assert.equal(resolve(join(dir, "link/x")), join(dir, "real/x"));
    assert.equal(resolve(join(dir, "real/x")), join(dir, "real/x"));
    rmSync(join(dir, "link"));
    symlinkSync("/etc", join(dir, "link"));
    assert.equal(resolve(join(dir, "link/x")), join(dir, "real/x"));
  });

  it("need not be there yet", (t) => {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), "compilecache-test-")));
    t.after(() => rmSync(dir, { recursive: true }));
    symlinkSync(dir, join(dir, "link"));
    assert.equal(canonical(join(dir, "link/not/there/yet/")), join(dir, "not/there/yet"));
    assert.equal(canonical("/"), "/");
    assert.equal(canonical("/not-there"), "/not-there");
  });
});

describe("isWithin", () => {
  it("goes by whole components", () => {
    assert.ok(isWithin("/a/b", "/a"));
    assert.ok(isWithin("/a", "/a"));
    assert.ok(isWithin("/a", "/"));
    assert.ok(!isWithin("/ab", "/a"));
    assert.ok(!isWithin("/", "/a"));
  });
});
