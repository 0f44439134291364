import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { TransferPhase } from "compilecache-client";
import { newCache, writeContents } from "../../support/crash/cache-contents.ts";
import { whileHanging } from "../../support/crash/fault-points.ts";
import { whyUntraceable } from "../../support/crash/kill-points.ts";
import {
  createTestPlace,
  environment,
  finalState,
  type TestDaemon,
} from "../../support/daemon/daemons.ts";

const untraceable = whyUntraceable();
if (untraceable) throw new Error(untraceable);

const answerWithinMs = 1_000 + 2_000;

async function createPlace(t: TestContext) {
  const place = await createTestPlace(t);
  const daemon = await place.startDaemon();
  const { client } = daemon;
  const [source, target] = [join(place.allowed, "source"), join(place.allowed, "target")];
  writeContents(source, newCache);
  mkdirSync(target);
  const save = () => client.save({ environment, localDir: source, detach: true });
  await client.save({ environment, localDir: source, namespace: "loaded" });
  return { daemon, pid: daemon.child.pid as number, save, source, target };
}

/** Waits for a transfer to come to a phase, and to what hangs there. */
async function hangsIn({ client }: TestDaemon, operationId: string, phase: TransferPhase) {
  for await (const state of client.watch(operationId)) if (state.phase === phase) break;
  await delay(200);
}

async function answered<T>(answer: Promise<T>): Promise<T> {
  const before = performance.now();
  const value = await answer;
  const tookMs = performance.now() - before;
  assert.ok(tookMs < answerWithinMs, `the answer took ${tookMs} ms`);
  return value;
}

describe("while a call on a mount hangs", () => {
  for (const { what, syscall, phase, status, end } of [
    {
      what: "that writes an archive",
      syscall: "pwrite64",
      phase: "packing",
      status: "cancelled",
      end: "cancelled",
    },
    {
      what: "that commits an archive",
      syscall: "link",
      phase: "committing",
      status: "in_progress",
      end: "success",
    },
  ] as const)
    it(`${what}, a cancel answers and so does everything else`, async (t) => {
      const { daemon, pid, save } = await createPlace(t);
      const { client } = daemon;
      let id = "";
      await whileHanging(pid, syscall, async () => {
        id = (await save()).transfer.operationId;
        await hangsIn(daemon, id, phase);
        assert.equal((await answered(client.cancelTransfer(id))).status, status);
        await answered(client.listTransfers());
      });
      assert.equal((await finalState(client, id)).status, end);
    });

  it("that fills a local directory, a cancel answers and so does everything else", async (t) => {
    const { daemon, pid, source, target } = await createPlace(t);
    const { client } = daemon;
    let id = "";
    await whileHanging(pid, "mkdir", async () => {
      const input = { environment, localDir: target, namespace: "loaded", detach: true };
      id = (await client.load(input)).transfer.operationId;
      await hangsIn(daemon, id, "unpacking");
      assert.equal((await answered(client.cancelTransfer(id))).status, "in_progress");
      await answered(client.getCacheInfo({ environment, localDir: source }));
    });
    assert.equal((await finalState(client, id)).status, "cancelled");
  });
});
