import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { describe, type TestContext, test } from "node:test";
import { userSocketPath } from "./places.ts";

const temporaryDir = async (t: TestContext) => {
  const dir = await mkdtemp("/tmp/cc-default-");
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
};

describe("userSocketPath", () => {
  test("is in XDG_RUNTIME_DIR, or else in a directory of /tmp that names the user", async (t) => {
    const dir = await temporaryDir(t);
    const xdg = userSocketPath({ XDG_RUNTIME_DIR: dir });
    assert.equal(xdg, `${dir}/compilecache/compilecache.sock`);
    assert.equal(userSocketPath({}), `/tmp/compilecache-${process.getuid?.()}/compilecache.sock`);
  });

  test("is in /tmp where XDG_RUNTIME_DIR is not this user's directory", async (t) => {
    const fallback = `/tmp/compilecache-${process.getuid?.()}/compilecache.sock`;
    for (const none of ["/nowhere", "relative", "/dev/null"])
      assert.equal(userSocketPath({ XDG_RUNTIME_DIR: none }), fallback);
    const dir = await temporaryDir(t);
    const { getuid } = process;
    t.after(() => Object.assign(process, { getuid }));
    Object.assign(process, { getuid: () => 12345 });
    const ofAnother = userSocketPath({ XDG_RUNTIME_DIR: dir });
    assert.equal(ofAnother, "/tmp/compilecache-12345/compilecache.sock");
  });
});
