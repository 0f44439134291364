import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { spawnServe } from "../../support/serve-process.ts";
import { call, connect, tempDir } from "../../support/service-client.ts";
import { environment } from "../../support/test-daemon.ts";

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
  return { daemon, dir, socket };
}

const timeOf = ({ timestamp }: Record<string, unknown>) => Date.parse(String(timestamp));

describe("a daemon with an idle exit", { concurrency: true }, () => {
  test("ends in order when no client ever connected", async (t) => {
    const { daemon, socket } = await serveUntilIdle(t, 2);
    assert.equal((await daemon.ended).code, 0);
    const listening = await daemon.line("listening");
    const stopping = await daemon.line("stopping");
    assert.equal(stopping.reason, "idle");
    assert.ok(timeOf(stopping) - timeOf(listening) > 1_900);
    assert.equal(existsSync(socket), false);
  });

  test("stays while a client is connected, and ends after that", async (t) => {
    const { daemon, socket } = await serveUntilIdle(t, 2);
    const connection = connectSocket(socket);
    await once(connection, "connect");
    await delay(5_000);
    assert.equal(daemon.child.exitCode, null);
    connection.destroy();
    assert.equal((await daemon.ended).code, 0);
  });

  test("stays while a detached transfer runs", async (t) => {
    const { daemon, dir, socket } = await serveUntilIdle(t, 1);
    // Its save takes two seconds, for the file is still being written.
    mkdirSync(`${dir}/local`);
    writeFileSync(`${dir}/local/fresh`, "x");
    const client = connect(t, `unix:${socket}`);
    await call(client, "save", { environment, detach: true });
    client.close();
    assert.equal((await daemon.ended).code, 0);
    const messages = daemon.lines.map(({ message }) => message);
    assert.ok(messages.indexOf("save success") > 0, messages.join());
    assert.ok(messages.indexOf("save success") < messages.indexOf("stopping"), messages.join());
  });
});
