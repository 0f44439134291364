import assert from "node:assert/strict";
import { syncBuiltinESMExports } from "node:module";
import os from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { resolveLocalDirectory, torchCacheDirectory } from "./local-directory.ts";

describe("torchCacheDirectory", () => {
  it("is TORCHINDUCTOR_CACHE_DIR, absolute", () => {
    assert.equal(torchCacheDirectory({ TORCHINDUCTOR_CACHE_DIR: "/a/../b" }), "/b");
  });

  it("else names the user in the temporary directory, as torch does", () => {
    assert.equal(torchCacheDirectory({ USER: "a:b/c" }), join("/tmp", "torchinductor_a_b_c"));
    assert.equal(
      torchCacheDirectory({ LOGNAME: "first", USER: "second" }),
      join("/tmp", "torchinductor_first"),
    );
  });

  it("numbers a user who has no name, as torch does", (t) => {
    const { mock } = t.mock.method(os, "userInfo", () => {
      throw new Error("ENOENT");
    });
    syncBuiltinESMExports();
    t.after(() => {
      mock.restore();
      syncBuiltinESMExports();
    });
    const expected = join("/tmp", `torchinductor_uid_${process.getuid?.()}`);
    assert.equal(torchCacheDirectory({}), expected);
  });
});

describe("resolveLocalDirectory", () => {
  it("takes a path as relative to the working directory", () => {
    assert.equal(resolveLocalDirectory("cache"), join(process.cwd(), "cache"));
  });
});
