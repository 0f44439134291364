import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { cgroupMemory } from "./cgroup-memory.ts";

/** Files like those of /proc and /sys, by their path below a directory of their own. */
function kernelFiles(t: TestContext, files: Record<string, string>) {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(dir, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return cgroupMemory(join(dir, "cgroup"), join(dir, "fs"));
}

const group = (path: string, max: string, current: number, stat = "") => ({
  [`fs${path}/memory.max`]: `${max}\n`,
  [`fs${path}/memory.current`]: `${current}\n`,
  [`fs${path}/memory.stat`]: stat,
});

describe("the limit of the cgroup", () => {
  it("is the least of all groups above", (t) => {
    const { limitBytes } = kernelFiles(t, {
      cgroup: "0::/pod/container\n",
      ...group("/pod/container", "1000", 700),
      ...group("/pod", "800", 100),
      ...group("", "5000", 100),
    });
    assert.equal(limitBytes, 800);
  });
});

describe("what the cgroup has left", () => {
  it("is the limit less what is used, but for page cache that can go", (t) => {
    const { freeBytes } = kernelFiles(t, {
      cgroup: "0::/pod/container\n",
      ...group(
        "/pod/container",
        "1000",
        700,
        "anon 5\nfile 300\ninactive_file 200\nactive_file 1\n",
      ),
      ...group("/pod", "max", 900),
    });
    assert.equal(freeBytes, 500);
  });

  it("is the least of all groups above", (t) => {
    const { freeBytes } = kernelFiles(t, {
      cgroup: "0::/pod/container\n",
      ...group("/pod/container", "1000", 700),
      ...group("/pod", "800", 750),
      ...group("", "5000", 100),
    });
    assert.equal(freeBytes, 50);
  });

  it("is never negative", (t) => {
    const files = { cgroup: "0::/a\n", ...group("/a", "1000", 1100) };
    assert.equal(kernelFiles(t, files).freeBytes, 0);
  });

  it("is the container's own where its path is the host's", (t) => {
    const files = { cgroup: "0::/kubepods/pod1/abc\n", ...group("", "1000", 400) };
    assert.equal(kernelFiles(t, files).freeBytes, 600);
  });

  it("is found in the old hierarchy", (t) => {
    const { freeBytes } = kernelFiles(t, {
      cgroup: "12:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n0::/\n",
      "fs/memory/docker/a/memory.limit_in_bytes": "1000\n",
      "fs/memory/docker/a/memory.usage_in_bytes": "600\n",
      "fs/memory/docker/a/memory.stat": "inactive_file 7\ntotal_inactive_file 100\n",
      "fs/memory/memory.limit_in_bytes": "9223372036854771712\n",
      "fs/memory/memory.usage_in_bytes": "99999\n",
    });
    assert.equal(freeBytes, 500);
  });

  it("is infinite without a limit, or if nothing can be read", (t) => {
    const none = { limitBytes: Number.POSITIVE_INFINITY, freeBytes: Number.POSITIVE_INFINITY };
    assert.deepEqual(kernelFiles(t, { cgroup: "0::/\n" }), none);
    assert.deepEqual(kernelFiles(t, {}), none);
    const odd = { cgroup: "nonsense\n0::/a\n", ...group("/a", "", 5) };
    assert.deepEqual(kernelFiles(t, odd), none);
  });

  it("is something on this machine", () => {
    assert.ok(cgroupMemory().freeBytes > 0);
  });
});
