import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createCacheClient } from "compilecache-client";
import { writeHugeFile } from "../../support/huge-file.ts";
import { startTestDaemon } from "../../support/test-daemon.ts";
import { startCli, startCliOnTerminal } from "./run-cli.ts";

const environment = ["--torch", "2.11.0"];

/** A daemon, and a directory whose save takes far longer than the test. */
async function startLongSave(t: TestContext, start = startCli, more: readonly string[] = []) {
  const { address, archive, localDir } = await startTestDaemon(t);
  writeHugeFile(localDir);
  const client = createCacheClient({ address });
  t.after(() => client.close());
  const target = [...environment, "--dir", localDir, "--address", address];
  const { child, ended } = start(["save", ...target, ...more]);
  t.after(() => child.kill("SIGKILL"));
  return { client, child, ended, namespaceDir: dirname(archive) };
}

/** The one transfer, once it has packed some bytes. */
async function underWay(client: ReturnType<typeof createCacheClient>): Promise<string> {
  for (;;) {
    const { transfers } = await client.listTransfers();
    const [transfer] = transfers;
    if (transfer && transfer.bytesDone > 0) return transfer.operationId;
    await delay(20);
  }
}

async function lastState(client: ReturnType<typeof createCacheClient>, operationId: string) {
  let status: string | undefined;
  for await (const state of client.watch(operationId)) status = state.status;
  return status;
}

describe("an interrupted save", { timeout: 60_000 }, () => {
  it("is cancelled by Ctrl-C, which ends the command with 130", async (t) => {
    const { client, child, ended, namespaceDir } = await startLongSave(t);
    const operationId = await underWay(client);
    child.kill("SIGINT");
    const { exitCode, stderr } = await ended;
    assert.equal(exitCode, 130);
    assert.equal(stderr, "compilecache: interrupted\n");
    assert.equal(await lastState(client, operationId), "cancelled");
    assert.deepEqual(existsSync(namespaceDir) ? readdirSync(namespaceDir) : [], []);
  });

  it("is cancelled by Ctrl-C on a terminal too, where a bar is drawn", async (t) => {
    const { client, child, ended } = await startLongSave(t, startCliOnTerminal);
    const operationId = await underWay(client);
    await new Promise<void>((resolve) => {
      child.stdout.on("data", (text: string) => text.includes("packing") && resolve());
    });
    child.stdin.write("\x03");
    assert.equal(await lastState(client, operationId), "cancelled");
    const { exitCode } = await ended;
    assert.equal(exitCode, 130);
  });

  it("is cancelled when the command is killed with -9", async (t) => {
    const { client, child } = await startLongSave(t);
    const operationId = await underWay(client);
    child.kill("SIGKILL");
    assert.equal(await lastState(client, operationId), "cancelled");
  });

  it("is cancelled when its time is out, which ends the command with 1", async (t) => {
    const { client, ended } = await startLongSave(t, startCli, ["--timeout", "1"]);
    const operationId = await underWay(client);
    const { exitCode, stderr } = await ended;
    assert.equal(exitCode, 1);
    assert.match(stderr, /deadline/i);
    assert.equal(await lastState(client, operationId), "cancelled");
  });

  it("goes on where it was detached", async (t) => {
    const { client, ended } = await startLongSave(t, startCli, ["--detach"]);
    assert.equal((await ended).exitCode, 0);
    const operationId = await underWay(client);
    assert.equal((await client.getTransfer(operationId)).status, "in_progress");
    assert.equal((await client.cancelTransfer(operationId)).status, "cancelled");
  });
});
