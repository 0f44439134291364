import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { call, connect, tempDir } from "../../support/client/service-client.ts";
import { environment } from "../../support/daemon/daemon-in-process.ts";
import { spawnServe } from "../../support/daemon/serve-process.ts";
import { writeHugeFile } from "../../support/trees/huge-file.ts";

const longestIdleSeconds = 64;

async function serveUntilIdle(t: TestContext, idleSeconds: number) {
  const dir = await tempDir(t);
  const socket = `${dir}/daemon.sock`;
  const daemon = spawnServe(
    t,
    ["--listen", `unix:${socket}`, "--idle-exit-seconds", `${idleSeconds}`],
    {
      TORCH_CACHE_DIR: `${dir}/local`,
      B10FS_CACHE_DIR: `${dir}/store`,
    },
  );
  await daemon.line("listening");
  return { daemon, dir, socket, idleSeconds };
}

/**
 * A daemon with a connection to it. It may have ended before it was reached, the sooner the busier the
 * machine; then another one has more time.
 */
async function serveConnected(t: TestContext) {
  for (let idleSeconds = 1; ; idleSeconds *= 2) {
    const started = await serveUntilIdle(t, idleSeconds);
    const connection = connectSocket(started.socket);
    try {
      await once(connection, "connect");
      return { ...started, connection };
    } catch (error) {
      if (idleSeconds === longestIdleSeconds) throw error;
      assert.equal((await started.daemon.ended).code, 0);
    }
  }
}

describe("a daemon with an idle exit", { concurrency: true }, () => {
  test("ends in order when no client ever connected", async (t) => {
    const { daemon, socket } = await serveUntilIdle(t, 1);
    assert.equal((await daemon.ended).code, 0);
    assert.equal((await daemon.line("stopping")).reason, "idle");
    assert.equal(existsSync(socket), false);
  });

  test("stays while a client is connected or a detached transfer runs, and ends after that", async (t) => {
    const { daemon, dir, socket, idleSeconds, connection } = await serveConnected(t);
    const longerThanIdleMs = 2_000 * idleSeconds;
    await delay(longerThanIdleMs);
    assert.equal(daemon.child.exitCode, null);

    writeHugeFile(`${dir}/local`);
    const first = connect(t, `unix:${socket}`);
    const saving = await call(first, "save", { environment, detach: true });
    first.close();
    connection.destroy();
    await delay(longerThanIdleMs);
    assert.equal(daemon.child.exitCode, null);

    const { operationId = "" } = saving.transfer ?? {};
    const last = connect(t, `unix:${socket}`);
    await call(last, "cancelTransfer", { operationId });
    last.close();
    assert.equal((await daemon.ended).code, 0);
    const messages = daemon.lines.map(({ message }) => message);
    assert.ok(messages.indexOf("save cancelled") > 0, messages.join());
    assert.ok(messages.indexOf("save cancelled") < messages.indexOf("stopping"), messages.join());
  });
});
