import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { CacheServiceError, createCacheClient, type Transfer } from "compilecache-client";
import { treeDifferences } from "../../../fixtures/compare-trees.ts";
import { makeCache } from "../../../fixtures/make-cache.ts";
import { startTestDaemon } from "../../support/daemon/daemon-in-process.ts";
import { writeHugeFile } from "../../support/trees/huge-file.ts";

const environment = { torchVersion: "2.11.0", extra: { py: "3.12" } };

async function connect(t: TestContext, options: { scale?: number } = {}) {
  const { address, dir, localDir } = await startTestDaemon(t);
  const made = makeCache(localDir, { scale: options.scale ?? 0.002 });
  const client = createCacheClient({ address });
  t.after(() => client.close());
  return { client, dir, localDir, otherDir: join(dir, "other"), made };
}

async function statesOf(states: AsyncIterable<Transfer>): Promise<Transfer[]> {
  const collected: Transfer[] = [];
  for await (const state of states) collected.push(state);
  return collected;
}

describe("the TypeScript client, through a daemon", () => {
  it("saves a cache, loads it elsewhere byte for byte, and learns what happened", async (t) => {
    const { client, localDir, otherDir, made } = await connect(t);
    const saved = await client.save({ environment, localDir });
    assert.equal(saved.status, "success");
    assert.equal(saved.cache?.fileCount, made.fileCount);
    assert.equal(saved.cache?.contentBytes, made.bytes);
    assert.deepEqual(saved.cache?.environment, environment);

    const loaded = await client.load({ environment, localDir: otherDir });
    assert.equal(loaded.status, "success");
    assert.equal(loaded.transfer.bytesDone, made.bytes);
    assert.deepEqual(loaded.transfer.outcome?.cache, saved.cache);
    assert.deepEqual(treeDifferences(localDir, otherDir), []);
  });

  it("watches a transfer to totals that it never falls short of", async (t) => {
    const { client, localDir, made } = await connect(t, { scale: 0.1 });
    const { status, transfer } = await client.save({ environment, localDir, detach: true });
    assert.equal(status, "in_progress");
    const states = await statesOf(client.watch(transfer.operationId));
    assert.ok(states.length > 1, `only ${states.length} states`);
    for (const [i, state] of states.entries())
      assert.ok(state.bytesDone >= (states[i - 1]?.bytesDone ?? 0), "progress fell");
    const last = states.at(-1);
    assert.equal(last?.status, "success");
    assert.equal(last?.bytesDone, made.bytes);
    assert.equal(last?.filesTotal, made.fileCount);
    assert.ok(last?.completedAt && last.completedAt >= last.startedAt);
  });

  it("shares one transfer between callers that ask for the same", async (t) => {
    const { client, localDir, otherDir } = await connect(t);
    await client.save({ environment, localDir });
    const load = () => client.load({ environment, localDir: otherDir });
    const results = await Promise.all(Array.from({ length: 16 }, load));
    assert.deepEqual(new Set(results.map(({ status }) => status)), new Set(["success"]));
    assert.equal(new Set(results.map(({ transfer }) => transfer.operationId)).size, 1);
  });

  it("tells each caller the transfer that it waits for, also one who joins it", async (t) => {
    const { client, localDir } = await connect(t);
    writeHugeFile(localDir);
    const save = () => {
      const { promise: started, resolve: onStarted } = Promise.withResolvers<string>();
      const saving = client.save({ environment, localDir }, { onStarted });
      return { started, cancelled: assert.rejects(saving, { code: "CANCELLED" }) };
    };
    const first = save();
    const operationId = await first.started;
    const joined = save();
    assert.equal(await joined.started, operationId);
    const watched = statesOf(client.watch(operationId));
    await client.cancelTransfer(operationId);
    await Promise.all([first.cancelled, joined.cancelled]);
    assert.equal((await watched).at(-1)?.status, "cancelled");
  });

  it("tells the transfer of a load that misses, of a detached one, and of none that is refused", async (t) => {
    const { client, otherDir } = await connect(t);
    const told: string[] = [];
    const call = { onStarted: (operationId: string) => void told.push(operationId) };
    const input = { environment, localDir: otherDir };
    const missed = await client.load(input, call);
    const detached = await client.load({ ...input, detach: true }, call);
    await assert.rejects(client.load({ ...input, namespace: "A B" }, call));
    assert.deepEqual(told, [missed.transfer.operationId, detached.transfer.operationId]);
  });

  it("names the closest cache when it misses", async (t) => {
    const { client, localDir, otherDir } = await connect(t);
    await client.save({ environment, localDir });
    const asked = { torchVersion: "2.12.0", extra: { py: "3.12", gpu: "h200" } };
    const missed = await client.load({ environment: asked, localDir: otherDir });
    assert.equal(missed.status, "does_not_exist");
    assert.deepEqual(missed.closest?.differing, ["torch", "gpu"]);
    assert.deepEqual(missed.closest?.cache.environment, environment);
    assert.equal(missed.transfer.status, "success");
  });

  it("lists, describes and deletes caches", async (t) => {
    const { client, localDir } = await connect(t);
    for (const namespace of ["a", "b", "c"])
      await client.save({ namespace, environment, localDir });
    const all: string[] = [];
    for await (const cache of client.allCaches()) all.push(cache.namespace);
    assert.deepEqual(all, ["a", "b", "c"]);
    const page = await client.listCaches({ pageSize: 2, environment });
    assert.deepEqual(
      page.caches.map(({ isCurrentEnvironment }) => isCurrentEnvironment),
      [true, true],
    );
    const next = await client.listCaches({ pageSize: 2, pageToken: page.nextPageToken });
    assert.deepEqual(
      next.caches.map(({ namespace }) => namespace),
      ["c"],
    );

    const target = { namespace: "b", environment, localDir };
    const { cacheKey, stored } = await client.getCacheInfo(target);
    assert.equal(stored?.namespace, "b");
    await client.deleteCache({ namespace: "b", cacheKey });
    assert.equal((await client.getCacheInfo(target)).stored, undefined);
    await assert.rejects(client.deleteCache({ namespace: "b", cacheKey }), {
      code: "NOT_FOUND",
      reason: "CACHE_NOT_FOUND",
    });
  });

  it("copies, lists transfers with the finished ones, and clears", async (t) => {
    const { client, dir, localDir, otherDir, made } = await connect(t);
    writeFileSync(join(localDir, "one"), "1");
    const copying = await client.startTransfer({
      source: join(localDir, "one"),
      destination: join(dir, "other", "copy"),
      operationName: "one file",
    });
    assert.equal(copying.kind, "copy");
    const copied = (await statesOf(client.watch(copying.operationId))).at(-1);
    assert.equal(copied?.status, "success", copied?.error?.message);
    assert.equal(readFileSync(join(otherDir, "copy"), "utf8"), "1");

    const finished = await statesOf(client.allTransfers({ includeFinished: true }));
    assert.deepEqual(
      finished.map(({ operationName }) => operationName),
      ["one file"],
    );
    assert.deepEqual(await statesOf(client.allTransfers()), []);
    const cleared = await client.clearLocalCache({ localDir });
    assert.deepEqual(cleared, { fileCount: made.fileCount + 1, bytes: made.bytes + 1 });
  });

  it("stops watching when its signal aborts, and the transfer goes on", async (t) => {
    const { client, localDir } = await connect(t, { scale: 0.1 });
    const { transfer } = await client.save({ environment, localDir, detach: true });
    const controller = new AbortController();
    await assert.rejects(
      async () => {
        for await (const _ of client.watch(transfer.operationId, { signal: controller.signal }))
          controller.abort();
      },
      { name: "CacheServiceError", code: "CANCELLED" },
    );
    const last = (await statesOf(client.watch(transfer.operationId))).at(-1);
    assert.equal(last?.status, "success");
  });

  it("carries the daemon's violations", async (t) => {
    const { client, localDir } = await connect(t);
    const error = await client
      .save({ namespace: "A B", environment: { torchVersion: "" }, localDir })
      .catch((thrown: unknown) => thrown);
    assert.ok(error instanceof CacheServiceError);
    assert.equal(error.reason, "INVALID_REQUEST");
    const fields = error.violations.map(({ field }) => field);
    assert.deepEqual(fields, ["namespace", "environment.torchVersion"]);
  });
});

describe("environment keys", () => {
  const vectors = JSON.parse(
    readFileSync(new URL("../../vectors/environment-keys.json", import.meta.url), "utf8"),
  ) as Vector[];

  it("are those of the vectors that all clients share", async (t) => {
    const { client, localDir } = await connect(t);
    const keyed = vectors.filter((vector) => vector.key !== undefined);
    assert.ok(keyed.length > 5);
    for (const { name, environment: asked, key, cache_key } of keyed) {
      const info = await client.getCacheInfo({ environment: toEnvironment(asked), localDir });
      assert.equal(info.environmentKey, key, name);
      assert.equal(info.cacheKey, cache_key, name);
    }
  });

  it("are refused where the vectors say so", async (t) => {
    const { client, localDir } = await connect(t);
    const refused = vectors.filter((vector) => vector.violations !== undefined);
    assert.ok(refused.length > 5);
    for (const { name, environment: asked, violations } of refused) {
      const error = await client
        .getCacheInfo({ environment: toEnvironment(asked), localDir })
        .catch((thrown: unknown) => thrown);
      assert.ok(error instanceof CacheServiceError, name);
      const fields = error.violations.map(({ field }) => field);
      assert.deepEqual(fields, violations?.map(asThisClientSays), name);
    }
  });
});

/** The vectors name fields as the contract does. */
function asThisClientSays(field: string): string {
  return field.replace("_version", "Version").replace("_capability", "Capability");
}

interface Vector {
  readonly name: string;
  readonly environment: {
    readonly torch_version: string;
    readonly cuda_version: string;
    readonly compute_capability: string;
    readonly triton_version: string;
    readonly extra: Record<string, string>;
  };
  readonly key?: string;
  readonly cache_key?: string;
  readonly violations?: readonly string[];
}

function toEnvironment(vector: Vector["environment"]) {
  return {
    torchVersion: vector.torch_version,
    cudaVersion: vector.cuda_version,
    computeCapability: vector.compute_capability,
    tritonVersion: vector.triton_version,
    extra: vector.extra,
  };
}
