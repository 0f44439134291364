import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cannotMount, mountTmpfs } from "../../../../test/support/machine/mounts.ts";
import { freeSpace, requireSpace } from "./disk-space.ts";

const MiB = 1 << 20;

describe("requiring space", () => {
  it("tells bytes from inodes", { skip: cannotMount }, (t) => {
    const small = mountTmpfs(t, "size=16m,nr_inodes=50");
    assert.equal(freeSpace(small).bytes, 16 * MiB);
    requireSpace(small, "here", 8 * MiB, 10);
    assert.throws(() => requireSpace(small, "here", 15 * MiB, 10), {
      reason: "INSUFFICIENT_SPACE",
      message: /^here has 16\.0 MiB free, and 19\.0 MiB are needed$/,
    });
    assert.throws(() => requireSpace(small, "here", 0, 100), {
      reason: "INSUFFICIENT_SPACE",
      message: /^here has 4\d inodes free, and 100 are needed$/,
    });
    const unlimited = mountTmpfs(t, "size=16m,nr_inodes=0");
    assert.equal(freeSpace(unlimited).inodes, Number.POSITIVE_INFINITY);
    requireSpace(unlimited, "here", 0, 1000);
  });

  it("does not take large blocks of a network file system for what a small file wastes", async (t) => {
    const fs = (await import("node:fs")).default;
    const { syncBuiltinESMExports } = await import("node:module");
    const real = fs.statfsSync;
    t.after(() => {
      fs.statfsSync = real;
      syncBuiltinESMExports();
    });
    const nfs = {
      type: 0x6969,
      bsize: MiB,
      blocks: 9000,
      bfree: 9000,
      bavail: 9000,
      files: 1e6,
      ffree: 1e6,
    };
    fs.statfsSync = (() => nfs) as unknown as typeof real;
    syncBuiltinESMExports();
    requireSpace("/", "here", 700 * MiB, 12_000);
    assert.throws(() => requireSpace("/", "here", 9000 * MiB, 1), { reason: "INSUFFICIENT_SPACE" });
  });
});
