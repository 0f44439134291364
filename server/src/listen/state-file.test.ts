import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type DaemonState, readDaemonState, statePathOf } from "compilecache-client/daemons";
import { writeStateFile } from "./state-file.ts";

const state: DaemonState = {
  pid: 12,
  process: "boot 1 2",
  version: "1.0",
  store: "file:///store",
  addresses: ["unix:/a.sock"],
  log: null,
  started_at: "2026-01-01T00:00:00.000Z",
  started_by: "a test",
};

async function listening(t: TestContext, mode: number): Promise<string> {
  const dir = await mkdtemp("/tmp/cc-state-");
  const path = join(dir, "a.sock");
  const server = createServer().listen(path);
  t.after(async () => {
    server.close();
    await rm(dir, { recursive: true });
  });
  await new Promise((resolve) => server.once("listening", resolve));
  await chmod(path, mode);
  return path;
}

describe("the file beside a socket", () => {
  it("is read by those who may connect, and goes when the daemon does", async (t) => {
    for (const [mode, expected] of [
      [0o600, 0o600],
      [0o660, 0o640],
      [0o666, 0o644],
    ] as const) {
      const path = await listening(t, mode);
      const file = await writeStateFile(path, state);
      assert.equal((await stat(statePathOf(path))).mode & 0o777, expected);
      assert.deepEqual(readDaemonState(path), state);
      await file.remove();
      assert.deepEqual(await readdir(join(path, "..")), ["a.sock"]);
    }
  });

  it("says when its daemon begins to stop, and goes then, too", async (t) => {
    const path = await listening(t, 0o660);
    const file = await writeStateFile(path, state);
    const stopping = { ...state, stopping_since: "2026-01-02T00:00:00.000Z" };
    await file.update(stopping);
    assert.deepEqual(readDaemonState(path), stopping);
    assert.equal((await stat(statePathOf(path))).mode & 0o777, 0o640);
    await file.remove();
    assert.deepEqual(await readdir(join(path, "..")), ["a.sock"]);
  });

  it("takes the place of one that a killed daemon left, and stays if it is a successor's", async (t) => {
    const path = await listening(t, 0o600);
    await writeFile(statePathOf(path), "left behind");
    const file = await writeStateFile(path, state);
    await writeStateFile(path, { ...state, pid: 13 });
    await file.update({ ...state, stopping_since: "2026-01-02T00:00:00.000Z" });
    await file.remove();
    assert.equal(readDaemonState(path)?.pid, 13);
  });

  it("leaves nothing where it cannot be written", async (t) => {
    const path = await listening(t, 0o600);
    await mkdir(join(statePathOf(path), "in-the-way"), { recursive: true });
    await assert.rejects(writeStateFile(path, state));
    assert.deepEqual(await readdir(join(path, "..")), ["a.sock", "a.sock.json"]);
    assert.equal(readDaemonState(path), undefined);
  });

  it("says nothing where it makes no sense", async (t) => {
    const path = await listening(t, 0o600);
    for (const text of [
      "",
      "[]",
      "{}",
      JSON.stringify({ ...state, pid: -1 }),
      "x".repeat(99_999),
    ]) {
      await writeFile(statePathOf(path), text);
      assert.equal(readDaemonState(path), undefined, text);
    }
  });
});
