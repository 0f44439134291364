import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type CacheClient, createCacheClient } from "compilecache-client";
import { runCli, startCli, startCliOnTerminal } from "../../support/cli/run-cli.ts";
import { startTestDaemon } from "../../support/daemon/daemon-in-process.ts";
import { eventually } from "../../support/eventually.ts";
import { writeHugeFile } from "../../support/trees/huge-file.ts";

const environment = ["--torch", "2.11.0"];

/** A daemon, and a directory whose save takes far longer than the test. */
async function prepareLongSave(t: TestContext) {
  const { address, archive, localDir } = await startTestDaemon(t);
  writeHugeFile(localDir);
  const client = createCacheClient({ address });
  t.after(() => client.close());
  const target = [...environment, "--dir", localDir, "--address", address];
  return { address, client, save: ["save", ...target], namespaceDir: dirname(archive) };
}

async function startLongSave(t: TestContext, start = startCli, more: readonly string[] = []) {
  const prepared = await prepareLongSave(t);
  const running = start([...prepared.save, ...more]);
  t.after(() => running.child.kill("SIGKILL"));
  return { ...prepared, ...running };
}

/** The one transfer, once it has packed some bytes. */
async function underWay(client: CacheClient): Promise<string> {
  const id = await eventually("the transfer", async () => {
    const { transfers } = await client.listTransfers();
    return transfers[0]?.operationId;
  });
  for await (const { bytesDone } of client.watch(id)) if (bytesDone > 0) return id;
  return assert.fail("the save has ended");
}

async function lastState(client: CacheClient, operationId: string) {
  let status: string | undefined;
  for await (const state of client.watch(operationId)) status = state.status;
  return status;
}

describe("an interrupted save", () => {
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
    const { client, child, ended, shown } = await startLongSave(t, startCliOnTerminal);
    const operationId = await underWay(client);
    await shown(/packing/);
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
    const { client, save } = await prepareLongSave(t);
    const started = async () => (await client.listTransfers({ includeFinished: true })).transfers;
    // Where the time is out before the daemon hears of the call, the next call has more.
    for (let seconds = 1; (await started()).length === 0; seconds *= 2) {
      assert.ok(seconds <= 64, "no call reached the daemon");
      const { exitCode, stderr } = await runCli([...save, "--timeout", String(seconds)]);
      assert.equal(exitCode, 1);
      assert.match(stderr, /given up after \d+ s \(--timeout\)/);
    }
    const [transfer] = await started();
    assert.equal(await lastState(client, transfer?.operationId ?? ""), "cancelled");
  });

  it("goes on where it was detached, whatever becomes of who watches", async (t) => {
    const { address, client, ended } = await startLongSave(t, startCli, ["--detach"]);
    assert.equal((await ended).exitCode, 0);
    const operationId = await underWay(client);
    const watching = startCli(["watch", "--address", address]);
    t.after(() => watching.child.kill("SIGKILL"));
    await watching.shown(/\n/);
    watching.child.kill("SIGINT");
    const { exitCode, stderr } = await watching.ended;
    assert.deepEqual([exitCode, stderr], [130, "compilecache: interrupted\n"]);
    assert.equal((await client.getTransfer(operationId)).status, "in_progress");
    await client.cancelTransfer(operationId);
    assert.equal(await lastState(client, operationId), "cancelled");
  });
});
