import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { TransferPhase } from "compilecache-client";
import { createTestPlace, environment, finalState } from "../../support/daemons.ts";
import { versionIn, writeVersion } from "../../support/versions.ts";
import { holdFile } from "./held-file.ts";

/** What the contract promises, and what a busy machine may add. */
const answerWithinMs = 1_000 + 4_000;
/** There is no grace period; what the parts of the stop may take, and a busy machine. */
const stopWithinMs = 5_000 + 1_000 + 4_000;

async function createPlace(t: TestContext) {
  const place = await createTestPlace(t);
  const daemon = await place.startDaemon({ SHUTDOWN_GRACE_SECONDS: "0" });
  const { client } = daemon;
  const [source, target] = [join(place.allowed, "source"), join(place.allowed, "target")];
  writeVersion(source, 1);
  mkdirSync(target);
  const { cache } = await client.save({ environment, localDir: source, namespace: "stored" });
  const archive = join(place.store, "stored", cache?.filename ?? "");
  const startLoad = async (hangsAt: string, phase: TransferPhase) => {
    const held = await holdFile(t, hangsAt);
    const input = { environment, localDir: target, namespace: "stored", detach: true };
    const { transfer } = await client.load(input);
    const id = transfer.operationId;
    for await (const state of client.watch(id)) if (state.phase === phase) break;
    await delay(300);
    return { id, held };
  };
  return {
    daemon,
    source,
    target,
    /** A load that hangs on the store, and one of its threads with it. */
    startHungOnStore: () => startLoad(archive, "checking"),
    /** A load that hangs on the local directory, and a worker thread with it. */
    startHungOnDirectory() {
      const marker = join(target, ".compilecache-not-loaded");
      writeFileSync(marker, "");
      return startLoad(marker, "committing");
    },
  };
}

async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  const before = performance.now();
  const value = await answer;
  const tookMs = performance.now() - before;
  assert.ok(tookMs < ms, `it took ${tookMs} ms`);
  return value;
}

describe("a daemon", () => {
  it("lets a load go that hangs on the store", async (t) => {
    const { daemon, startHungOnStore } = await createPlace(t);
    const { id } = await startHungOnStore();
    const { status } = await within(answerWithinMs, daemon.client.cancelTransfer(id));
    assert.equal(status, "cancelled");
  });

  it("answers a cancel, and other calls, while a load hangs on the local directory", async (t) => {
    const { daemon, source, target, startHungOnDirectory } = await createPlace(t);
    const { client } = daemon;
    const { id, held } = await startHungOnDirectory();
    const { status, phase } = await within(answerWithinMs, client.cancelTransfer(id));
    assert.deepEqual([status, phase], ["in_progress", "committing"]);
    await within(answerWithinMs, client.getCacheInfo({ environment, localDir: source }));
    await held.release();
    // A commit that has begun runs to its end.
    assert.equal((await finalState(client, id)).status, "success");
    assert.equal(versionIn(target), 1);
  });

  for (const where of ["store", "local directory"])
    it(`stops though a thread hangs on the ${where}`, async (t) => {
      const { daemon, startHungOnStore, startHungOnDirectory } = await createPlace(t);
      await (where === "store" ? startHungOnStore() : startHungOnDirectory());
      daemon.child.kill("SIGTERM");
      assert.equal((await within(stopWithinMs, daemon.ended)).code, 0);
    });

  it("stops at once at a second signal though a thread hangs", async (t) => {
    const { daemon, startHungOnStore } = await createPlace(t);
    await startHungOnStore();
    daemon.child.kill("SIGTERM");
    await daemon.line("stopping");
    daemon.child.kill("SIGTERM");
    await within(answerWithinMs, daemon.ended);
  });
});
