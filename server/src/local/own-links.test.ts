import assert from "node:assert/strict";
import { chmodSync, lchownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createAllowedDirs } from "./allowed-dirs.ts";
import { throughOwnLinks } from "./own-links.ts";

function directory(t: TestContext): string {
  const made = mkdtempSync("/dev/shm/cc-links-");
  t.after(() => rmSync(made, { recursive: true }));
  mkdirSync(join(made, "disk/cache"), { recursive: true });
  return made;
}

describe("throughOwnLinks", () => {
  it("resolves this user's links, one after the other, as far as there is something", (t) => {
    const dir = directory(t);
    symlinkSync("disk", join(dir, "first"));
    symlinkSync(join(dir, "first/../first/cache"), join(dir, "second"));
    assert.equal(throughOwnLinks(`${dir}/second/new/model`), `${dir}/disk/cache/new/model`);
    symlinkSync("not-there", join(dir, "third"));
    assert.equal(throughOwnLinks(`${dir}/third`), `${dir}/not-there`);
  });

  it("leaves a link that leads to itself", (t) => {
    const dir = directory(t);
    symlinkSync("round", join(dir, "round"));
    assert.equal(throughOwnLinks(`${dir}/round/a`), `${dir}/round/a`);
  });

  it("leaves links that another user made, or could exchange", (t) => {
    const dir = directory(t);
    mkdirSync(join(dir, "open"));
    symlinkSync("../disk", join(dir, "open/link"));
    assert.equal(throughOwnLinks(`${dir}/open/link`), `${dir}/disk`);
    chmodSync(join(dir, "open"), 0o777);
    assert.equal(throughOwnLinks(`${dir}/open/link`), `${dir}/open/link`);
    // Only its owner takes away a link from there.
    chmodSync(join(dir, "open"), 0o1777);
    assert.equal(throughOwnLinks(`${dir}/open/link`), `${dir}/disk`);
    if (process.getuid?.() !== 0) return t.skip("only root can make another user's link");
    lchownSync(join(dir, "open/link"), 12345, 12345);
    assert.equal(throughOwnLinks(`${dir}/open/link`), `${dir}/open/link`);
  });
});

it("any directory is allowed by the path that it has, and known by the one that was named", (t) => {
  const dir = directory(t);
  symlinkSync("disk", join(dir, "link"));
  const any = createAllowedDirs([{ clientPath: "/", daemonPath: "/", throughLinks: true }]);
  const { root, path, clientPath, otherPath } = any.resolve(`${dir}/link/cache`, "local_dir");
  assert.deepEqual(
    { root, path, clientPath, otherPath },
    {
      root: "/",
      path: `${dir}/disk/cache`,
      clientPath: `${dir}/link/cache`,
      otherPath: `${dir}/disk/cache`,
    },
  );
  const plain = any.resolve(dir, "local_dir");
  assert.deepEqual([plain.path, plain.otherPath], [dir, undefined]);
});
