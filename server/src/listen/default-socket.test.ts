import assert from "node:assert/strict";
import { chmod, lstat, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { Logger } from "../domain/logger.ts";
import { listenOnDefaultSocket } from "./default-socket.ts";
import { ListenError } from "./listen-error.ts";
import { defaultSocketRights } from "./listener.ts";

const temporaryDir = async (t: TestContext) => {
  const dir = await mkdtemp("/tmp/cc-default-");
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
};

const places = async (t: TestContext) => {
  const dir = await temporaryDir(t);
  return { preferred: join(dir, "run", "a.sock"), other: join(dir, "user", "a.sock") };
};

const newServer = (t: TestContext) => () => {
  const server = createServer();
  t.after(() => server.close());
  return server;
};

function recordingLogger(): { logger: Logger; told: string[] } {
  const told: string[] = [];
  const ignore = () => {};
  const info = (message: string) => told.push(message);
  const logger = { debug: ignore, info, warn: ignore, error: ignore, child: () => logger };
  return { logger, told };
}

describe("listenOnDefaultSocket", () => {
  test("takes the default where it can be made", async (t) => {
    const { logger, told } = recordingLogger();
    const at = await places(t);
    assert.equal(
      (await listenOnDefaultSocket(newServer(t), at, defaultSocketRights, logger)).path,
      at.preferred,
    );
    assert.deepEqual(told, []);
  });

  test("falls back to the user's own private directory, and says so", async (t) => {
    const { logger, told } = recordingLogger();
    const at = await places(t);
    await writeFile(dirname(at.preferred), "in the way");
    assert.equal(
      (await listenOnDefaultSocket(newServer(t), at, defaultSocketRights, logger)).path,
      at.other,
    );
    assert.equal((await lstat(dirname(at.other))).mode & 0o777, 0o700);
    assert.equal(told.length, 1);
  });

  test("does not fall back from a daemon that listens already", async (t) => {
    const { logger } = recordingLogger();
    const at = await places(t);
    await listenOnDefaultSocket(newServer(t), at, defaultSocketRights, logger);
    await assert.rejects(
      listenOnDefaultSocket(newServer(t), at, defaultSocketRights, logger),
      /already/,
    );
  });

  test("refuses a fallback directory that others may write to", async (t) => {
    const { logger } = recordingLogger();
    const at = await places(t);
    await writeFile(dirname(at.preferred), "in the way");
    await mkdir(dirname(at.other));
    await chmod(dirname(at.other), 0o777);
    await assert.rejects(
      listenOnDefaultSocket(newServer(t), at, defaultSocketRights, logger),
      ListenError,
    );
  });
});
