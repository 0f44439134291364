import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { assertNothingOpen } from "../../../../test/support/refusal.ts";
import { makeTree } from "../../../../test/support/trees/trees.ts";
import { createWorkerPool } from "../../workers/worker-pool.ts";
import { removeAt } from "./removal.ts";
import { walk } from "./tree.ts";

function openDir(t: TestContext, files: Record<string, string>) {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  makeTree(dir, files);
  const fd = openSync(dir, "r");
  t.after(() => closeSync(fd));
  return { dir, fd };
}

const namesIn = (fd: number) => [...walk(fd)].map(({ name }) => name).sort();
const unhindered = () => {};

describe("a walk", () => {
  it("finds files at any depth, and empty directories", (t) => {
    const { fd } = openDir(t, {
      a: "1",
      "b/c/d": "2",
      "b/e/": "",
      ".hidden/.file": "3",
      "f/x.lock": "",
    });
    assert.deepEqual(namesIn(fd), [".hidden/.file", "a", "b/c/d", "b/e/"]);
  });

  it("passes over links, pipes, sockets and devices, without waiting for them", async (t) => {
    const { dir, fd } = openDir(t, { file: "1", "below/file": "2" });
    symlinkSync("file", join(dir, "link"));
    symlinkSync("below", join(dir, "link-to-directory"));
    symlinkSync(".", join(dir, "below/loop"));
    execFileSync("mkfifo", [join(dir, "fifo")]);
    if (process.getuid?.() === 0) execFileSync("mknod", [join(dir, "device"), "c", "1", "5"]);
    const server = createServer().listen(join(dir, "socket"));
    t.after(() => server.close());
    await new Promise((resolve) => server.once("listening", resolve));
    assert.deepEqual(namesIn(fd), ["below/file", "file"]);
  });

  it("copes with entries that vanish or are replaced while it runs", async (t) => {
    const { dir, fd } = openDir(t, { "a/1": "", "b/1": "", "c/1": "", "d/1": "" });
    const found: string[] = [];
    for (const { name } of walk(fd)) {
      found.push(name);
      for (const later of ["a", "b", "c", "d"].filter((later) => !name.startsWith(later)))
        rmSync(join(dir, later), { recursive: true, force: true });
      symlinkSync("/etc", join(dir, name.startsWith("a") ? "b" : "a"));
    }
    assert.equal(found.length, 1);
    await assertNothingOpen(dir, [dir]);
  });

  it("closes what it opened when its caller stops early", async (t) => {
    const { dir, fd } = openDir(t, { "a/b/c/d": "1", "a/b/c/e": "2" });
    for (const _ of walk(fd)) break;
    await assertNothingOpen(dir, [dir]);
  });

  it("ends, however deep the tree is, on a thread of the pool", async (t) => {
    const { dir, fd } = openDir(t, { file: "1" });
    let below = openSync(dir, "r");
    for (let depth = 0; depth < 12_000; depth++) {
      mkdirSync(`/proc/self/fd/${below}/d`);
      const next = openSync(`/proc/self/fd/${below}/d`, "r");
      closeSync(below);
      below = next;
    }
    closeSync(below);
    const pool = createWorkerPool({ threads: 1, nice: 0 });
    t.after(() => pool.close());
    const totals = await pool.run("measureDirectory", fd, new AbortController().signal);
    assert.deepEqual(totals, { fileCount: 1, bytes: 1 });
    execFileSync("rm", ["-rf", join(dir, "d")]);
  });
});

describe("removing", () => {
  it("counts the files that went, and follows no link", async (t) => {
    const outside = openDir(t, { precious: "1" });
    const { dir, fd } = openDir(t, { "a/b/c": "12345", "a/d": "678", "e/": "", kept: "9" });
    symlinkSync(outside.dir, join(dir, "a/link"));
    symlinkSync(join(outside.dir, "precious"), join(dir, "link"));
    const removed = { fileCount: 0, bytes: 0 };
    for (const name of ["not-there", "a", "e", "link"]) removeAt(fd, name, removed, unhindered);
    assert.deepEqual(removed, { fileCount: 2, bytes: 8 });
    assert.deepEqual(readdirSync(dir), ["kept"]);
    assert.ok(existsSync(join(outside.dir, "precious")));
    await assertNothingOpen(dir, [dir]);
  });

  it("stops when it is told to, and closes what it opened", async (t) => {
    const { dir, fd } = openDir(t, { "a/b/c": "", "a/b/d": "", "a/b/e": "" });
    let steps = 0;
    const stopping = () => {
      if (++steps > 2) throw new Error("stopped");
    };
    assert.throws(() => removeAt(fd, "a", { fileCount: 0, bytes: 0 }, stopping), /stopped/);
    await assertNothingOpen(dir, [dir]);
  });
});
