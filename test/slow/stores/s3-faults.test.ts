import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import {
  CacheServiceError,
  type LoadResult,
  type SaveResult,
  type TransferPhase,
} from "compilecache-client";
import { createTestPlace, environment, type TestDaemon } from "../../support/daemon/daemons.ts";
import { leavesOut } from "../../support/machine/tools.ts";
import { countUploads, listKeys } from "../../support/s3/bucket-content.ts";
import { startTestObjectServer } from "../../support/s3/object-server.ts";
import { startToxiproxy, type Toxic } from "../../support/s3/toxiproxy.ts";
import { largeVersionIn, writeLargeVersion } from "../../support/trees/large-versions.ts";

/** A store that is down answers within 15 s; the rest is what a busy machine may take. */
const answersWithinMs = 25_000;

describe("a bad network between daemon and object store", {
  skip: leavesOut("versitygw", "toxiproxy-server") ?? false,
}, () => {
  async function setUp(t: TestContext) {
    const place = await createTestPlace(t);
    const server = await startTestObjectServer(t, "versitygw");
    const network = await startToxiproxy(t, server.port);
    const startDaemon = () => place.startDaemon(server.variables("here", network.endpoint));
    const daemon = await startDaemon();
    await daemon.line("the store keeps to conditions");
    const [source, localDir] = [join(place.allowed, "source"), join(place.allowed, "loaded")];
    writeLargeVersion(source, 1);
    const save = ({ client }: TestDaemon = daemon) =>
      ended(client.save({ environment, localDir: source, ifStoredExists: "replace" }));
    const load = ({ client }: TestDaemon = daemon) => {
      rmSync(localDir, { recursive: true, force: true });
      return ended(client.load({ environment, localDir }));
    };
    /** Requires that saves and loads succeed once the network is good again. */
    const requireHealth = async () => {
      await network.cut(false);
      await network.poison();
      assert.equal((await save()).status, "success");
      assert.equal((await load()).status, "success");
      assert.equal(largeVersionIn(localDir), 1);
      assert.equal((await listKeys(server)).length, 1);
    };
    return {
      place,
      server,
      network,
      daemon,
      startDaemon,
      source,
      localDir,
      save,
      load,
      requireHealth,
    };
  }

  const bad: [string, Toxic[]][] = [
    [
      "is slow to answer",
      [{ type: "latency", stream: "downstream", attributes: { latency: 150, jitter: 100 } }],
    ],
    [
      "carries 2 MB/s on each connection",
      [
        { type: "bandwidth", stream: "upstream", attributes: { rate: 2000 } },
        { type: "bandwidth", stream: "downstream", attributes: { rate: 2000 } },
      ],
    ],
    [
      "loses one answer in five",
      [{ type: "limit_data", stream: "downstream", toxicity: 0.2, attributes: { bytes: 0 } }],
    ],
    [
      "breaks one connection in five off at once",
      [{ type: "reset_peer", stream: "downstream", toxicity: 0.2, attributes: { timeout: 0 } }],
    ],
    [
      "breaks one connection in five off after 200 KB",
      [{ type: "limit_data", stream: "downstream", toxicity: 0.2, attributes: { bytes: 200_000 } }],
    ],
  ];
  for (const [what, toxics] of bad)
    it(`that ${what} carries saves and loads`, async (t) => {
      const { network, save, load, localDir, server } = await setUp(t);
      await network.poison(...toxics);
      for (let round = 0; round < 3; round++) {
        assert.equal((await save()).status, "success");
        assert.equal((await load()).status, "success");
        assert.equal(largeVersionIn(localDir), 1);
      }
      assert.equal((await listKeys(server)).length, 1);
    });

  it("that loses answers lets one of several savers win, and no error out", async (t) => {
    const { place, network, startDaemon, server, localDir, load } = await setUp(t);
    const daemons = await Promise.all([startDaemon(), startDaemon(), startDaemon()]);
    await network.poison({
      type: "limit_data",
      stream: "downstream",
      toxicity: 0.2,
      attributes: { bytes: 0 },
    });
    const results = await Promise.all(
      daemons.map(({ client }, n) => {
        const localDir = join(place.allowed, `saver-${n}`);
        writeLargeVersion(localDir, 10 + n);
        return ended(client.save({ environment, localDir }));
      }),
    );
    assert.deepEqual(results.map(({ status }) => status).sort(), ["skipped", "skipped", "success"]);
    await network.poison();
    assert.equal((await load()).status, "success");
    const winner = results.findIndex(({ status }) => status === "success");
    assert.equal(largeVersionIn(localDir), 10 + winner);
    assert.equal((await listKeys(server)).length, 1);
    assert.equal(await countUploads(server), 0);
  });

  for (const [kind, toxic] of [
    ["cut", undefined],
    // Everything is sent, nothing comes back, and no connection ends.
    ["silent", { type: "timeout", stream: "downstream", attributes: { timeout: 0 } }],
  ] as [string, Toxic | undefined][]) {
    const fail = (network: {
      poison(toxic: Toxic): Promise<void>;
      cut(on: boolean): Promise<void>;
    }) => (toxic ? network.poison(toxic) : network.cut(true));

    for (const phase of ["checking", "unpacking"] as const)
      it(`that is ${kind} in the phase ${phase} makes a load fail in time, and leaves nothing`, async (t) => {
        const { network, daemon, save, localDir, requireHealth } = await setUp(t);
        await save();
        await network.poison({
          type: "bandwidth",
          stream: "downstream",
          attributes: { rate: 4000 },
        });
        const { transfer } = await daemon.client.load({ environment, localDir, detach: true });
        const startedAt = await when(daemon, transfer.operationId, phase);
        await fail(network);
        const result = await finished(daemon, transfer.operationId);
        assert.equal(result.error?.reason, "STORE_UNAVAILABLE");
        assert.ok(Date.now() - startedAt < answersWithinMs);
        assert.equal(largeVersionIn(localDir), undefined);
        await requireHealth();
      });

    it(`that is ${kind} during the upload makes a save fail in time, and shows nothing`, async (t) => {
      const { network, daemon, source, server, requireHealth } = await setUp(t);
      await network.poison({ type: "bandwidth", stream: "upstream", attributes: { rate: 1000 } });
      const { transfer } = await daemon.client.save({
        environment,
        localDir: source,
        detach: true,
      });
      while ((await countUploads(server)) === 0) await pause(20);
      await fail(network);
      const failedAt = Date.now();
      const result = await finished(daemon, transfer.operationId);
      assert.equal(result.error?.reason, "STORE_UNAVAILABLE");
      assert.ok(Date.now() - failedAt < (toxic ? 80_000 : answersWithinMs));
      assert.deepEqual(await listKeys(server), []);
      await requireHealth();
    });
  }

  it("that fails for 3 s in the middle of a load delays it", async (t) => {
    const { network, daemon, save, localDir } = await setUp(t);
    await save();
    await network.poison({ type: "bandwidth", stream: "downstream", attributes: { rate: 4000 } });
    const { transfer } = await daemon.client.load({ environment, localDir, detach: true });
    await when(daemon, transfer.operationId, "unpacking");
    await network.cut(true);
    await pause(3000);
    await network.cut(false);
    const { status, error } = await finished(daemon, transfer.operationId);
    assert.equal(status, "success", error?.message);
    assert.equal(largeVersionIn(localDir), 1);
  });
});

/** The result of a call; its failure must be that of a store. */
async function ended(call: Promise<LoadResult | SaveResult>) {
  try {
    return await call;
  } catch (error) {
    assert.ok(error instanceof CacheServiceError, String(error));
    return { status: error.reason, error };
  }
}

/** Waits until a transfer is in a phase; returns the time. */
async function when(
  { client }: TestDaemon,
  operationId: string,
  phase: TransferPhase,
): Promise<number> {
  for await (const state of client.watch(operationId)) if (state.phase === phase) break;
  return Date.now();
}

async function finished({ client }: TestDaemon, operationId: string) {
  for await (const state of client.watch(operationId))
    if (!["not_started", "in_progress"].includes(state.status)) return state;
  throw new Error("the watch ended early");
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
