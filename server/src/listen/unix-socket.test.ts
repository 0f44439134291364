import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstat, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { ListenError } from "./listen-error.ts";
import { defaultSocketRights } from "./listener.ts";
import { listenOnSocket } from "./unix-socket.ts";

async function tempDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp("/tmp/cc-sock-");
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

function newServer(t: TestContext): Server {
  const server = createServer((connection) => connection.end());
  t.after(() => server.close());
  return server;
}

async function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A socket file that a killed process left. */
async function leaveStaleSocket(path: string): Promise<void> {
  const script = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  await once(spawn(process.execPath, ["-e", script, path]), "exit");
  assert.ok((await lstat(path)).isSocket());
}

const isListenError = (pattern: RegExp, inUse: boolean) => (error: unknown) => {
  assert.ok(error instanceof ListenError);
  assert.match(error.message, pattern);
  assert.equal(error.inUse, inUse);
  return true;
};

describe("listenOnSocket", () => {
  test("makes the directory, and lets its user and group connect", async (t) => {
    const path = join(await tempDir(t), "made", "a.sock");
    await listenOnSocket(newServer(t), path, defaultSocketRights);
    assert.equal((await lstat(path)).mode & 0o777, 0o660);
    assert.equal((await lstat(join(path, ".."))).mode & 0o777, 0o755);
    assert.ok(await answers(path));
  });

  test("leaves the modes of a directory that exists", async (t) => {
    const dir = join(await tempDir(t), "private");
    await mkdir(dir, { mode: 0o700 });
    await listenOnSocket(newServer(t), join(dir, "a.sock"), defaultSocketRights);
    assert.equal((await lstat(dir)).mode & 0o777, 0o700);
  });

  test("replaces a stale socket", async (t) => {
    const path = join(await tempDir(t), "a.sock");
    await leaveStaleSocket(path);
    await listenOnSocket(newServer(t), path, defaultSocketRights);
    assert.ok(await answers(path));
  });

  test("refuses a live socket and leaves it alone", async (t) => {
    const dir = await tempDir(t);
    const path = join(dir, "a.sock");
    await listenOnSocket(newServer(t), path, defaultSocketRights);
    await assert.rejects(
      listenOnSocket(newServer(t), path, defaultSocketRights),
      isListenError(/^cannot listen on unix:.*: another process listens there already$/, true),
    );
    assert.ok(await answers(path));
    assert.deepEqual(await readdir(dir), ["a.sock"]);
  });

  test("refuses a file that is no socket and leaves it alone", async (t) => {
    const path = join(await tempDir(t), "a.sock");
    await writeFile(path, "precious");
    await assert.rejects(
      listenOnSocket(newServer(t), path, defaultSocketRights),
      isListenError(/is no socket/, false),
    );
    assert.ok((await lstat(path)).isFile());
  });

  test("says how long a path may be", async (t) => {
    const dir = await tempDir(t);
    const longest = join(dir, "x".repeat(107 - dir.length - 1));
    await listenOnSocket(newServer(t), longest, defaultSocketRights);
    await assert.rejects(
      listenOnSocket(newServer(t), `${longest}x`, defaultSocketRights),
      isListenError(/its path is 108 bytes long, and a socket's may be 107 at most/, false),
    );
  });

  test("says why the directory cannot be made", async (t) => {
    const dir = await tempDir(t);
    await writeFile(join(dir, "file"), "");
    await assert.rejects(
      listenOnSocket(newServer(t), join(dir, "file", "a.sock"), defaultSocketRights),
      isListenError(/EEXIST.*mkdir/, false),
    );
  });

  test("removes its socket, and no trace remains when the server closes", async (t) => {
    const dir = await tempDir(t);
    const server = newServer(t);
    const socket = await listenOnSocket(server, join(dir, "a.sock"), defaultSocketRights);
    await socket.remove();
    server.close();
    assert.deepEqual(await readdir(dir), []);
  });

  test("leaves the socket of a successor, on remove and on close", async (t) => {
    const path = join(await tempDir(t), "a.sock");
    const first = newServer(t);
    const socket = await listenOnSocket(first, path, defaultSocketRights);
    await rm(path);
    await listenOnSocket(newServer(t), path, defaultSocketRights);
    await socket.remove();
    first.close();
    await once(first, "close");
    assert.ok(await answers(path));
  });

  test("gives one of many racers a stale socket, and the others a clear error", async (t) => {
    const path = join(await tempDir(t), "a.sock");
    await leaveStaleSocket(path);
    const results = await Promise.allSettled(
      Array.from({ length: 16 }, () => listenOnSocket(newServer(t), path, defaultSocketRights)),
    );
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    assert.ok(await answers(path));
  });
});
