import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { cannotMount, mountTmpfs } from "../../../test/support/machine/mounts.ts";
import { freeCgroupBytes, freeSpace, requireSpace } from "./disk-space.ts";

const MiB = 1 << 20;

/** Files like those of /proc and /sys, by their path below a directory of their own. */
function kernelFiles(t: TestContext, files: Record<string, string>) {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(dir, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return freeCgroupBytes(join(dir, "cgroup"), join(dir, "fs"));
}

const group = (path: string, max: string, current: number, stat = "") => ({
  [`fs${path}/memory.max`]: `${max}\n`,
  [`fs${path}/memory.current`]: `${current}\n`,
  [`fs${path}/memory.stat`]: stat,
});

describe("what the cgroup has left", () => {
  it("is the limit less what is used, but for page cache that can go", (t) => {
    const free = kernelFiles(t, {
      cgroup: "0::/pod/container\n",
      ...group(
        "/pod/container",
        "1000",
        700,
        "anon 5\nfile 300\ninactive_file 200\nactive_file 1\n",
      ),
      ...group("/pod", "max", 900),
    });
    assert.equal(free, 500);
  });

  it("is the least of all groups above", (t) => {
    const free = kernelFiles(t, {
      cgroup: "0::/pod/container\n",
      ...group("/pod/container", "1000", 700),
      ...group("/pod", "800", 750),
      ...group("", "5000", 100),
    });
    assert.equal(free, 50);
  });

  it("is never negative", (t) => {
    const files = { cgroup: "0::/a\n", ...group("/a", "1000", 1100) };
    assert.equal(kernelFiles(t, files), 0);
  });

  it("is the container's own where its path is the host's", (t) => {
    const files = { cgroup: "0::/kubepods/pod1/abc\n", ...group("", "1000", 400) };
    assert.equal(kernelFiles(t, files), 600);
  });

  it("is found in the old hierarchy", (t) => {
    const free = kernelFiles(t, {
      cgroup: "12:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n0::/\n",
      "fs/memory/docker/a/memory.limit_in_bytes": "1000\n",
      "fs/memory/docker/a/memory.usage_in_bytes": "600\n",
      "fs/memory/docker/a/memory.stat": "inactive_file 7\ntotal_inactive_file 100\n",
      "fs/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "fs/memory/memory.usage_in_bytes": "99999\n",
    });
    assert.equal(free, 500);
  });

  it("is infinite without a limit, or if nothing can be read", (t) => {
    assert.equal(kernelFiles(t, { cgroup: "0::/\n" }), Number.POSITIVE_INFINITY);
    assert.equal(kernelFiles(t, {}), Number.POSITIVE_INFINITY);
    const odd = { cgroup: "nonsense\n0::/a\n", ...group("/a", "", 5) };
    assert.equal(kernelFiles(t, odd), Number.POSITIVE_INFINITY);
  });

  it("is something on this machine", () => {
    assert.ok(freeCgroupBytes() > 0);
  });
});

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
