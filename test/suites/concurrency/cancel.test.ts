import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Transfer, TransferPhase } from "compilecache-client";
import { type ClientProcess, startClients } from "../../support/client-processes.ts";
import {
  createTestPlace,
  environment,
  finalState,
  namesIn,
  type TestDaemon,
} from "../../support/daemons.ts";
import { writeLargeCache, writeUnfinishedCache } from "./large-cache.ts";

/** The second that the contract promises, and what a busy machine may add. */
const answerWithinMs = 1_000 + 4_000;

async function createPlace(t: TestContext) {
  const place = await createTestPlace(t);
  const daemon = await place.startDaemon({ COMPILE_CACHE_WORKERS: "1" });
  const source = join(place.allowed, "source");
  const target = join(place.allowed, "target");
  writeLargeCache(source);
  const leftIn = (dir: string) => namesIn(dir).filter((name) => name !== "source");
  return {
    ...place,
    daemon,
    source,
    target,
    /** All but the source: in the store, beside the target, in the target. */
    left: () => [
      ...namesIn(join(place.store, "default")),
      ...leftIn(place.allowed),
      ...leftIn(target),
    ],
  };
}

/** Waits until a transfer is in a phase, or over. */
async function untilPhase({ client }: TestDaemon, id: string, phase: TransferPhase) {
  for await (const state of client.watch(id)) if (state.phase === phase) return;
}

/** Cancels a transfer, and returns how it ended. */
async function cancelled({ client }: TestDaemon, id: string): Promise<Transfer> {
  const before = performance.now();
  await client.cancelTransfer(id);
  const tookMs = performance.now() - before;
  assert.ok(tookMs < answerWithinMs, `the answer took ${tookMs} ms`);
  return finalState(client, id);
}

/** A call that was under way in the store when its transfer ended tidies up after itself. */
async function settled(left: () => string[], expected: string[]): Promise<void> {
  for (let waitedMs = 0; waitedMs < 1_000 && left().length !== expected.length; waitedMs += 10)
    await delay(10);
  assert.deepEqual(left(), expected);
}

describe("CancelTransfer", () => {
  it("stops a save that packs, and leaves nothing in the store", async (t) => {
    const { daemon, source, left } = await createPlace(t);
    const { transfer } = await daemon.client.save({ environment, localDir: source, detach: true });
    await untilPhase(daemon, transfer.operationId, "packing");
    assert.equal((await cancelled(daemon, transfer.operationId)).status, "cancelled");
    assert.deepEqual(left(), []);
  });

  it("stops a load that unpacks, and leaves nothing in the local directory", async (t) => {
    const { daemon, source, target, left } = await createPlace(t);
    await daemon.client.save({ environment, localDir: source });
    const before = left();
    const { transfer } = await daemon.client.load({ environment, localDir: target, detach: true });
    await untilPhase(daemon, transfer.operationId, "unpacking");
    assert.equal((await cancelled(daemon, transfer.operationId)).status, "cancelled");
    assert.deepEqual(left(), [...before, "target"]);
  });

  it("stops a copy, and leaves nothing at its destination", async (t) => {
    const { daemon, source, target, left } = await createPlace(t);
    const copy = await daemon.client.startTransfer({ source, destination: target });
    await untilPhase(daemon, copy.operationId, "copying");
    assert.equal((await cancelled(daemon, copy.operationId)).status, "cancelled");
    assert.deepEqual(left(), []);
  });

  it("stops what waits its turn, and lets the next one have it", async (t) => {
    const { daemon, source, left } = await createPlace(t);
    const { client } = daemon;
    const busy = join(source, "busy");
    writeUnfinishedCache(busy);
    const save = async (localDir: string, namespace: string) =>
      (await client.save({ environment, localDir, namespace, detach: true })).transfer.operationId;
    const first = await save(busy, "first");
    const waiting = await save(source, "waiting");
    const last = await save(busy, "last");
    assert.equal((await cancelled(daemon, waiting)).status, "cancelled");
    assert.equal((await client.getTransfer(last)).status, "not_started");
    assert.equal((await cancelled(daemon, first)).status, "cancelled");
    assert.equal((await finalState(client, last)).status, "success");
    assert.deepEqual(left(), []);
  });

  it("is whole or nothing at any moment of a save and of a load", async (t) => {
    const { daemon, source, target, left } = await createPlace(t);
    const { client } = daemon;
    const seen = new Set<string>();
    for (const kind of ["save", "load"] as const) {
      const run = () =>
        kind === "save"
          ? client.save({ environment, localDir: source, ifStoredExists: "replace", detach: true })
          : client.load({ environment, localDir: target, ifLocalExists: "replace", detach: true });
      const before = performance.now();
      const { transfer } = await run();
      await finalState(client, transfer.operationId);
      const wholeMs = performance.now() - before;
      const afterWhole = left();
      for (let moment = 0; moment < 6; moment++) {
        const { transfer } = await run();
        await delay((wholeMs * moment) / 5);
        const { status, phase } = await cancelled(daemon, transfer.operationId);
        assert.match(status, /^(cancelled|success)$/, phase);
        seen.add(status);
        await settled(left, afterWhole);
      }
    }
    assert.ok(seen.has("cancelled"));
  });
});

describe("a client that is killed while it waits", () => {
  it("takes its save with it, which leaves nothing in the store", async (t) => {
    const { daemon, source, left } = await createPlace(t);
    const state = await killedWaiter(t, daemon, "packing", (client, address) =>
      client.save(address, { environment, localDir: source }),
    );
    assert.deepEqual([state.status, state.error?.code], ["cancelled", "CANCELLED"]);
    assert.deepEqual(left(), []);
  });

  it("takes its load with it, which leaves nothing in the local directory", async (t) => {
    const { daemon, source, target, left } = await createPlace(t);
    await daemon.client.save({ environment, localDir: source });
    const before = left();
    const state = await killedWaiter(t, daemon, "unpacking", (client, address) =>
      client.load(address, { environment, localDir: target }),
    );
    assert.deepEqual([state.status, state.error?.code], ["cancelled", "CANCELLED"]);
    assert.deepEqual(left(), [...before, "target"]);
  });

  it("leaves a transfer alone that another waits for, or that it detached", async (t) => {
    const { daemon, source, target } = await createPlace(t);
    const shared = { environment, localDir: source };
    const other = Promise.withResolvers<string>();
    const state = await killedWaiter(t, daemon, "packing", (client, address) => {
      daemon.client.save(shared).then(({ status }) => other.resolve(status), other.reject);
      return client.save(address, shared);
    });
    assert.equal(state.status, "success");
    assert.equal(await other.promise, "success");

    const detached = await killedWaiter(t, daemon, "unpacking", (client, address) =>
      client.load(address, { environment, localDir: target, detach: true }),
    );
    assert.equal(detached.status, "success");
    rmSync(target, { recursive: true });
  });

  it("tells a transfer that its deadline passed", async (t) => {
    const { daemon, source } = await createPlace(t);
    const save = daemon.client.save({ environment, localDir: source }, { timeoutMs: 200 });
    await assert.rejects(save, { code: "DEADLINE_EXCEEDED" });
    const { transfers } = await daemon.client.listTransfers({ includeFinished: true });
    const state = await finalState(daemon.client, transfers[0]?.operationId ?? "");
    assert.deepEqual([state.status, state.error?.code], ["cancelled", "DEADLINE_EXCEEDED"]);
  });

  /** Has a client make a call, kills it in that phase, and returns how the transfer ended. */
  async function killedWaiter(
    t: TestContext,
    daemon: TestDaemon,
    phase: TransferPhase,
    call: (client: ClientProcess, address: string) => Promise<unknown>,
  ): Promise<Transfer> {
    const [client] = startClients(t, 1) as [ClientProcess];
    await client.connect(daemon.address);
    const answer = call(client, daemon.address);
    const id = await newestTransfer(daemon);
    await untilPhase(daemon, id, phase);
    client.kill();
    await answer.catch(() => {});
    return finalState(daemon.client, id);
  }

  async function newestTransfer({ client }: TestDaemon): Promise<string> {
    for (;;) {
      const { transfers } = await client.listTransfers();
      if (transfers[0]) return transfers[0].operationId;
      await delay(5);
    }
  }
});
