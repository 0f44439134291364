import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CacheError, type Reason } from "../../../server/src/domain/cache-error.ts";
import { cacheKeyOf, environmentKey } from "../../../server/src/domain/environment.ts";
import type { StoredCache } from "../../../server/src/domain/stored-cache.ts";
import type { LoadSpec, SaveSpec } from "../../../server/src/operations/cache-operations.ts";
import { call, failureOf } from "../../support/client/service-client.ts";
import { FakeTransfer, fakeOperations } from "../../support/daemon/fake-operations.ts";
import { serve } from "../../support/daemon/served-operations.ts";
import { eventually } from "../../support/eventually.ts";

const environment = {
  torchVersion: "2.1.0",
  cudaVersion: "12.1",
  computeCapability: "8.6",
  tritonVersion: "2.1.0",
  extra: { gpu: "h200" },
};
const stored: StoredCache = {
  namespace: "llama",
  cacheKey: cacheKeyOf(environmentKey(environment)),
  environment,
  filename: "cache_0123456789ab.latest.tar.zst",
  archiveBytes: 2 ** 40,
  contentBytes: 12,
  fileCount: 3,
  createdAt: new Date(1_700_000_000_000),
  generation: 2,
};
const codes: Record<Reason, number> = {
  INVALID_REQUEST: 3,
  PATH_NOT_ALLOWED: 7,
  UNAUTHENTICATED: 16,
  FORBIDDEN: 7,
  TRANSFER_NOT_FOUND: 5,
  CACHE_NOT_FOUND: 5,
  ARCHIVE_CORRUPT: 15,
  ARCHIVE_UNSAFE: 15,
  ARCHIVE_UNTRUSTED: 9,
  ARCHIVE_UNSUPPORTED: 9,
  INSUFFICIENT_SPACE: 8,
  CACHE_TOO_LARGE: 8,
  OVERLOADED: 8,
  STORE_UNAVAILABLE: 14,
  LOCAL_UNAVAILABLE: 14,
  SHUTTING_DOWN: 14,
  CANCELLED: 1,
  DEADLINE_EXCEEDED: 4,
  INTERNAL: 13,
};

describe("Load and Save", () => {
  for (const method of ["load", "save"] as const)
    test(`name the transfer of a ${method} before it ends`, async (t) => {
      const transfer = new FakeTransfer();
      const { client } = await serve(
        t,
        fakeOperations({ load: () => transfer, save: () => transfer }),
      );
      const { promise: started, resolve: onStarted } = Promise.withResolvers<string>();
      const failure = failureOf(call(client, method, { environment }, { onStarted }));
      assert.equal(await started, transfer.state.operationId);
      transfer.fail(new CacheError("STORE_UNAVAILABLE", "gone"));
      assert.equal((await failure).info?.reason, "STORE_UNAVAILABLE");
    });

  test("answer with the outcome of the transfer", async (t) => {
    const closest = { cache: { ...stored, cacheKey: "ffffffffffff" }, differing: ["torch", "gpu"] };
    const done = { status: "SUCCESS", phase: "DONE", cacheKey: stored.cacheKey } as const;
    const { client } = await serve(
      t,
      fakeOperations({
        load: () =>
          new FakeTransfer({
            ...done,
            outcome: { kind: "LOAD", status: "DOES_NOT_EXIST", closest },
          }),
        save: () =>
          new FakeTransfer({
            ...done,
            kind: "SAVE",
            outcome: {
              kind: "SAVE",
              status: "SUCCESS",
              cache: stored,
              leftOut: [
                { reason: "CHANGED", fileCount: 2, examples: ["a", "b/c"] },
                { reason: "LINK", fileCount: 1, examples: ["triton"] },
              ],
            },
          }),
      }),
    );
    const load = await call(client, "load", { environment });
    assert.equal(load.status, 4);
    assert.equal(load.closest?.cache?.isCurrentEnvironment, false);
    assert.deepEqual(load.closest?.differing, ["torch", "gpu"]);
    assert.deepEqual(load.transfer?.outcome, {
      $case: "load",
      value: {
        status: 4,
        closest: load.closest,
        cache: undefined,
        note: "",
        otherNamespaces: [],
      },
    });

    const save = await call(client, "save", { environment });
    assert.equal(save.status, 2);
    assert.equal(save.leftOutFileCount, 2n);
    assert.deepEqual(save.leftOut, [
      { reason: 5, fileCount: 2n, examples: ["a", "b/c"] },
      { reason: 1, fileCount: 1n, examples: ["triton"] },
    ]);
    assert.deepEqual(save.cache, {
      ...stored,
      archiveBytes: 2n ** 40n,
      contentBytes: 12n,
      fileCount: 3n,
      generation: 2n,
      signedBy: "",
      saver: "",
      revision: "",
      isCurrentEnvironment: true,
    });
  });

  test("hand over the request, with SKIP for no policy, and none for one that is unknown", async (t) => {
    const specs: (LoadSpec | SaveSpec)[] = [];
    const keep = (spec: LoadSpec | SaveSpec) => {
      specs.push(spec);
      return new FakeTransfer();
    };
    const { client } = await serve(t, fakeOperations({ load: keep, save: keep }));
    const common = { namespace: "n", environment, localDir: "/l", localDirIdentity: "1:2" };
    const policies = [0, 1, 2, 3, 9 as 3] as const;
    for (const ifLocalExists of policies)
      await call(client, "load", { ...common, ifLocalExists, detach: true });
    for (const ifStoredExists of policies)
      await call(client, "save", { ...common, ifStoredExists, detach: true, profile: "p" });
    assert.deepEqual(specs, [
      ...["SKIP", "SKIP", "MERGE", "REPLACE", undefined].map((ifLocalExists) => ({
        ...common,
        ifLocalExists,
      })),
      ...["SKIP", "SKIP", "REFRESH", "REPLACE", undefined].map((ifStoredExists) => ({
        ...common,
        ifStoredExists,
        profile: "p",
      })),
    ]);
  });

  test("answer at once with detach, as a waiter that never leaves", async (t) => {
    const transfer = new FakeTransfer();
    const { client } = await serve(
      t,
      fakeOperations({ load: () => transfer, save: () => transfer }),
    );
    const load = await call(client, "load", { environment, detach: true });
    assert.equal(load.status, 1);
    assert.equal(load.transfer?.operationId, "op-1");
    assert.ok(transfer.detached);
    transfer.detached = false;
    assert.equal((await call(client, "save", { environment, detach: true })).status, 1);
    assert.ok(transfer.detached);
  });

  test("stop waiting when the caller goes away or its deadline passes", async (t) => {
    const transfer = new FakeTransfer();
    const reasons: unknown[] = [];
    const wait = transfer.wait.bind(transfer);
    transfer.wait = (signal) => {
      signal?.addEventListener("abort", () => reasons.push((signal.reason as CacheError).reason));
      return wait(signal);
    };
    const { client } = await serve(t, fakeOperations({ load: () => transfer }));

    const caller = new AbortController();
    const cancelled = failureOf(call(client, "load", { environment }, { signal: caller.signal }));
    await eventually("the call waits", () => transfer.waiters === 1);
    caller.abort();
    assert.equal((await cancelled).code, 1);
    await eventually("no call waits", () => transfer.waiters === 0);

    const late = await failureOf(call(client, "load", { environment }, { deadlineMs: 300 }));
    assert.equal(late.code, 4);
    assert.equal(late.info, undefined);
    await eventually("no call waits", () => transfer.waiters === 0);
    assert.deepEqual(reasons, ["CANCELLED", "DEADLINE_EXCEEDED"]);
  });
});

describe("errors", () => {
  test("carry the code and reason of the contract, in the call and in the transfer", async (t) => {
    for (const [reason, code] of Object.entries(codes) as [Reason, number][]) {
      const error = new CacheError(reason, `because ${reason}`, { cause: new Error("secret") });
      const transfer = new FakeTransfer({ status: "ERROR", phase: "DONE", error });
      const { client } = await serve(
        t,
        fakeOperations({ load: () => transfer, getTransfer: () => transfer }),
      );
      const failure = await failureOf(call(client, "load", { environment }));
      assert.equal(failure.code, code, reason);
      assert.equal(failure.message, `because ${reason}`);
      const named = reason !== "CANCELLED" && reason !== "DEADLINE_EXCEEDED";
      assert.deepEqual(
        failure.info,
        named ? { reason, domain: "compilecache", metadata: {} } : undefined,
      );
      const { transfer: seen } = await call(client, "getTransfer", { operationId: "op-1" });
      assert.equal(seen?.error?.code, code);
      if (named) assert.deepEqual(seen?.error, failure.status);
    }
  });

  test("hide a bug from the caller and show it in the log", async (t) => {
    const { client, lines } = await serve(t, fakeOperations({}));
    const failure = await failureOf(call(client, "getTransfer", { operationId: "x" }));
    assert.equal(failure.code, 13);
    assert.equal(failure.info?.reason, "INTERNAL");
    assert.doesNotMatch(
      JSON.stringify(failure, (_key, value) => `${value}` && value),
      /secret/,
    );
    const logged = lines.find(({ level }) => level === "error")?.fields;
    assert.match(String(logged?.error), /secret internals/);
    assert.equal(logged?.method, "GetTransfer");
  });

  test("name the transfer that is not named", async (t) => {
    const { client } = await serve(t, fakeOperations({}));
    const fieldsOf = async (running: Promise<unknown>) => {
      const { code, info, violations } = await failureOf(running);
      assert.equal(code, 3);
      assert.equal(info?.reason, "INVALID_REQUEST");
      return violations.map(({ field }) => field);
    };
    assert.deepEqual(await fieldsOf(call(client, "getTransfer")), ["operation_id"]);
    assert.deepEqual(await fieldsOf(call(client, "cancelTransfer")), ["operation_id"]);
    const watch = client.watchTransfer({ operationId: "" }).toArray();
    assert.deepEqual(await fieldsOf(watch), ["operation_id"]);
  });
});

describe("the other calls", () => {
  test("translate there and back", async (t) => {
    const asked: unknown[] = [];
    const transfer = new FakeTransfer({ kind: "COPY", namespace: "", cacheKey: "" });
    const { client } = await serve(
      t,
      fakeOperations({
        copy: (spec) => {
          asked.push(spec);
          return transfer;
        },
        getTransfer: () => transfer,
        cancelTransfer: () => transfer.cancel(),
        listTransfers: (options) => {
          asked.push(options);
          return { items: [transfer.state], nextPageToken: "next" };
        },
        listCaches: async (options) => {
          asked.push(options);
          return {
            items: [stored, { ...stored, cacheKey: "ffffffffffff" }],
            nextPageToken: "more",
            currentCacheKey: stored.cacheKey,
          };
        },
        getCacheInfo: async (spec) => {
          asked.push(spec);
          const local = { localExists: true, localBytes: 5, localFileCount: 1 };
          const { cacheKey } = stored;
          return {
            environmentKey: "e",
            cacheKey,
            ...local,
            stored,
            store: "file:///s",
            storeNote: "n",
          };
        },
        deleteCache: async (id) => void asked.push(id),
        clearLocalCache: async (localDir) => {
          asked.push(localDir);
          return { bytes: 7, fileCount: 2 };
        },
      }),
    );
    const identities = { sourceIdentity: "1:2", destinationIdentity: "1:3" };
    const copy = { source: "/a", destination: "/b", operationName: "mine", ...identities };
    assert.equal((await call(client, "startTransfer", copy)).transfer?.kind, 3);
    assert.ok(transfer.detached);
    const page = { pageSize: 5, pageToken: "t" };
    const listed = await call(client, "listTransfers", { includeFinished: true, ...page });
    assert.equal(listed.transfers.length, 1);
    assert.equal(listed.nextPageToken, "next");
    const caches = await call(client, "listCaches", { namespace: "llama", environment, ...page });
    assert.deepEqual(
      caches.caches.map((cache) => cache.isCurrentEnvironment),
      [true, false],
    );
    assert.equal(caches.nextPageToken, "more");
    const directory = { localDir: "/l", localDirIdentity: "1:2" };
    const info = await call(client, "getCacheInfo", {
      namespace: "n",
      environment,
      ...directory,
    });
    assert.equal(info.localBytes, 5n);
    assert.deepEqual([info.store, info.storeNote], ["file:///s", "n"]);
    assert.equal(info.stored?.isCurrentEnvironment, true);
    await call(client, "deleteCache", { cacheKey: "0123456789ab" });
    const cleared = await call(client, "clearLocalCache", directory);
    assert.deepEqual(cleared, { bytes: 7n, fileCount: 2n });
    assert.equal((await call(client, "cancelTransfer", { operationId: "x" })).transfer?.status, 6);
    assert.deepEqual(asked, [
      copy,
      { includeFinished: true, ...page },
      { namespace: "llama", environment, ...page },
      { namespace: "n", environment, ...directory },
      { namespace: "", cacheKey: "0123456789ab" },
      directory,
    ]);
  });
});
