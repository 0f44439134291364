import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { SaveInput, Transfer, TransferPhase } from "compilecache-client";
import { type ClientProcess, startClients } from "../../support/client/client-processes.ts";
import { call, connect } from "../../support/client/service-client.ts";
import {
  createTestPlace,
  environment,
  finalState,
  namesIn,
  type TestDaemon,
} from "../../support/daemon/daemons.ts";
import { eventually } from "../../support/eventually.ts";
import { writeHugeFile } from "../../support/trees/huge-file.ts";
import { versionIn, writeVersion } from "../../support/trees/versions.ts";
import { writeLargeCache } from "./large-cache.ts";

/** How often work is begun again that ended before its cancel came. */
const mostAttempts = 50;

async function createPlace(t: TestContext) {
  const place = await createTestPlace(t);
  const daemon = await place.startDaemon({ COMPILE_CACHE_WORKERS: "1" });
  const source = join(place.allowed, "source");
  const target = join(place.allowed, "target");
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
  await client.cancelTransfer(id);
  return finalState(client, id);
}

/** A call that was under way in the store when its transfer ended tidies up after itself. */
async function settled(left: () => string[], expected: string[]): Promise<void> {
  await eventually("nothing more is left", () => left().length === expected.length).catch(() => {});
  assert.deepEqual(left(), expected);
}

/**
 * How work ended that was stopped in its middle. It may be over before the stop comes, on any machine;
 * then it is done again, until one is in time.
 */
async function stoppedInTime(attempt: () => Promise<Transfer>): Promise<Transfer> {
  for (let attempts = 0; attempts < mostAttempts; attempts++) {
    const state = await attempt();
    if (state.status !== "success") return state;
  }
  return assert.fail("the work was always over before it was stopped");
}

describe("CancelTransfer", () => {
  it("stops a save that packs, and leaves nothing in the store", async (t) => {
    const { daemon, source, left } = await createPlace(t);
    writeHugeFile(source);
    const { transfer } = await daemon.client.save({ environment, localDir: source, detach: true });
    await untilPhase(daemon, transfer.operationId, "packing");
    assert.equal((await cancelled(daemon, transfer.operationId)).status, "cancelled");
    assert.deepEqual(left(), []);
  });

  it("stops a load that unpacks, and leaves nothing in the local directory", async (t) => {
    const { daemon, source, target, left } = await createPlace(t);
    writeLargeCache(source);
    await daemon.client.save({ environment, localDir: source });
    const before = left();
    const { status } = await stoppedInTime(async () => {
      rmSync(target, { recursive: true, force: true });
      const load = await daemon.client.load({ environment, localDir: target, detach: true });
      await untilPhase(daemon, load.transfer.operationId, "unpacking");
      return cancelled(daemon, load.transfer.operationId);
    });
    assert.equal(status, "cancelled");
    assert.deepEqual(left(), [...before, "target"]);
  });

  it("stops a copy, and leaves nothing at its destination", async (t) => {
    const { daemon, source, target, left } = await createPlace(t);
    writeLargeCache(source);
    const { status } = await stoppedInTime(async () => {
      rmSync(target, { recursive: true, force: true });
      const copy = await daemon.client.startTransfer({ source, destination: target });
      await untilPhase(daemon, copy.operationId, "copying");
      return cancelled(daemon, copy.operationId);
    });
    assert.equal(status, "cancelled");
    assert.deepEqual(left(), []);
  });

  it("stops what waits its turn, and lets the next one have it", async (t) => {
    const { daemon, source, target, left } = await createPlace(t);
    const { client } = daemon;
    writeVersion(target, 1);
    await client.save({ environment, localDir: target, namespace: "stored" });
    rmSync(target, { recursive: true });
    const busy = join(source, "busy");
    writeHugeFile(busy);
    const saved = async (localDir: string, namespace: string) =>
      (await client.save({ environment, localDir, namespace, detach: true })).transfer.operationId;
    const first = await saved(busy, "first");
    const waiting = await saved(source, "waiting");
    const into = { environment, localDir: join(busy, "loaded"), namespace: "stored", detach: true };
    const last = (await client.load(into)).transfer.operationId;
    assert.equal((await cancelled(daemon, waiting)).status, "cancelled");
    assert.equal((await client.getTransfer(last)).status, "not_started");
    assert.equal((await cancelled(daemon, first)).status, "cancelled");
    assert.equal((await finalState(client, last)).status, "success");
    assert.equal(versionIn(into.localDir), 1);
    assert.deepEqual(left(), []);
  });

  it("is whole or nothing at any moment of a save and of a load", async (t) => {
    const { daemon, source, target, left } = await createPlace(t);
    const { client } = daemon;
    writeLargeCache(source);
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
    writeHugeFile(source);
    const state = await killedWaiter(t, daemon, "packing", (client, onStarted) =>
      client.save(daemon.address, { environment, localDir: source }, onStarted),
    );
    assert.deepEqual([state.status, state.error?.code], ["cancelled", "CANCELLED"]);
    assert.deepEqual(left(), []);
  });

  it("takes its load with it, which leaves nothing in the local directory", async (t) => {
    const { daemon, source, target, left } = await createPlace(t);
    writeLargeCache(source);
    await daemon.client.save({ environment, localDir: source });
    const before = left();
    const state = await stoppedInTime(() => {
      rmSync(target, { recursive: true, force: true });
      return killedWaiter(t, daemon, "unpacking", (client, onStarted) =>
        client.load(daemon.address, { environment, localDir: target }, onStarted),
      );
    });
    assert.deepEqual([state.status, state.error?.code], ["cancelled", "CANCELLED"]);
    assert.deepEqual(left(), [...before, "target"]);
  });

  it("leaves a transfer alone that another waits for, or that it detached", async (t) => {
    const { allowed, daemon } = await createPlace(t);
    const [client] = startClients(t, 1) as [ClientProcess];
    await client.connect(daemon.address);
    const inputOf = (name: string) => {
      writeHugeFile(join(allowed, name));
      return { environment, localDir: join(allowed, name), namespace: name };
    };
    const saved = async (input: SaveInput) => {
      const { promise: started, resolve: onStarted } = Promise.withResolvers<string>();
      client.save(daemon.address, input, onStarted).catch(() => {});
      return started;
    };
    const shared = inputOf("shared");
    const others = Promise.withResolvers<string>();
    const waiting = daemon.client.save(shared, { onStarted: others.resolve });
    waiting.catch(() => {});
    const id = await others.promise;
    assert.equal(await saved(shared), id);
    const detached = await client.save(daemon.address, { ...inputOf("detached"), detach: true });
    const own = await saved(inputOf("own"));

    client.kill();
    // The end of its own transfer tells that the daemon knows of the death.
    assert.equal((await finalState(daemon.client, own)).status, "cancelled");
    for (const operationId of [id, detached.transfer.operationId]) {
      const { status } = await daemon.client.getTransfer(operationId);
      assert.equal(status, "in_progress");
      assert.equal((await cancelled(daemon, operationId)).status, "cancelled");
    }
    await assert.rejects(waiting, { code: "CANCELLED" });
  });

  it("tells a transfer that its deadline passed", async (t) => {
    const { daemon, source } = await createPlace(t);
    writeHugeFile(source);
    const { promise: started, resolve: onStarted } = Promise.withResolvers<string>();
    const versions = { cudaVersion: "", computeCapability: "", tritonVersion: "", extra: {} };
    const input = { environment: { ...environment, ...versions }, localDir: source };
    const save = call(connect(t, daemon.address), "save", input, { deadlineMs: 300, onStarted });
    await assert.rejects(save, { code: 4 });
    const state = await finalState(daemon.client, await started);
    assert.deepEqual([state.status, state.error?.code], ["cancelled", "DEADLINE_EXCEEDED"]);
  });

  /** Has a client make a call, kills it in that phase, and returns how the transfer ended. */
  async function killedWaiter(
    t: TestContext,
    daemon: TestDaemon,
    phase: TransferPhase,
    callBy: (client: ClientProcess, onStarted: (id: string) => void) => Promise<unknown>,
  ): Promise<Transfer> {
    const [client] = startClients(t, 1) as [ClientProcess];
    const { promise: started, resolve: onStarted } = Promise.withResolvers<string>();
    const answer = callBy(client, onStarted);
    const id = await started;
    await untilPhase(daemon, id, phase);
    client.kill();
    await answer.catch(() => {});
    return finalState(daemon.client, id);
  }
});
