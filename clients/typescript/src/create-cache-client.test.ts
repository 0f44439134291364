import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { status as codes, Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import { Cache } from "../gen/compilecache/v1/cache.ts";
import {
  type CacheServiceServer,
  CacheServiceService,
  IfLocalExists,
  IfStoredExists,
} from "../gen/compilecache/v1/cache_service.ts";
import {
  LeftOutReason,
  LoadStatus,
  SaveSkipReason,
  SaveStatus,
  Transfer,
  TransferKind,
  TransferPhase,
  TransferStatus,
} from "../gen/compilecache/v1/transfer.ts";
import { BadRequest, ErrorInfo } from "../gen/google/rpc/error_details.ts";
import { Status } from "../gen/google/rpc/status.ts";
import { type CacheClientOptions, CacheServiceError, createCacheClient } from "./index.ts";

// A real daemon cannot be made to give every answer that the contract allows, so these tests script
// the service. The tests against a real daemon are in test/suites/client.

const environment = { torchVersion: "2.11.0" };
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "compilecache-client-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function connect(script: Partial<CacheServiceServer>, options: CacheClientOptions = {}) {
  const address = `unix:${join(temporaryDirectory(), "daemon.sock")}`;
  const server = new Server();
  server.addService(CacheServiceService, script as CacheServiceServer);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  const client = createCacheClient({ address, ...options });
  cleanups.push(
    () => server.forceShutdown(),
    () => client.close(),
  );
  return client;
}

function richError(code: codes, message: string, details: Status["details"]) {
  const metadata = new Metadata();
  const status = Status.encode({ code, message, details }).finish();
  metadata.set("grpc-status-details-bin", Buffer.from(status));
  return { code, details: message, metadata };
}

function errorInfo(reason: string) {
  return {
    typeUrl: "type.googleapis.com/google.rpc.ErrorInfo",
    value: Buffer.from(ErrorInfo.encode({ reason, domain: "compilecache", metadata: {} }).finish()),
  };
}

async function failureOf(promise: Promise<unknown>): Promise<CacheServiceError> {
  const error = await promise.then(
    () => assert.fail("the call succeeded"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CacheServiceError, `not a CacheServiceError: ${error}`);
  return error;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

const runningTransfer = Transfer.fromPartial({
  operationId: "op1",
  kind: TransferKind.TRANSFER_KIND_LOAD,
  status: TransferStatus.TRANSFER_STATUS_IN_PROGRESS,
  phase: TransferPhase.TRANSFER_PHASE_UNPACKING,
  startedAt: new Date(1000),
  bytesDone: 5n,
  bytesTotal: 5_000_000_000n,
});

describe("createCacheClient", () => {
  it("sends what the caller says, absolute, with the client's namespace and token", async () => {
    const seen: unknown[] = [];
    const client = await connect(
      {
        load(call, reply) {
          seen.push(call.request, call.metadata.get("authorization"));
          reply(null, { status: LoadStatus.LOAD_STATUS_SUCCESS, transfer: runningTransfer });
        },
      },
      { namespace: "llama", token: "secret" },
    );
    const localDir = join(temporaryDirectory(), "inner", "..", "cache");
    await client.load({
      environment: { torchVersion: "2.11.0", cudaVersion: "13.0", computeCapability: "9.0" },
      localDir,
      ifLocalExists: "merge",
    });
    assert.deepEqual(seen, [
      {
        namespace: "llama",
        environment: {
          torchVersion: "2.11.0",
          cudaVersion: "13.0",
          computeCapability: "9.0",
          tritonVersion: "",
          extra: {},
        },
        localDir: join(localDir),
        detach: false,
        ifLocalExists: IfLocalExists.IF_LOCAL_EXISTS_MERGE,
        localDirIdentity: `${statSync(localDir).dev}:${statSync(localDir).ino}`,
      },
      ["Bearer secret"],
    ]);
  });

  it("creates the directory that a load fills", async () => {
    const client = await connect({
      load: (_call, reply) =>
        reply(null, { status: LoadStatus.LOAD_STATUS_SUCCESS, transfer: runningTransfer }),
    });
    const localDir = join(temporaryDirectory(), "a", "b");
    await client.load({ environment, localDir });
    assert.ok(statSync(localDir).isDirectory());
  });

  it("returns words, numbers and dates, and leaves out what is absent", async () => {
    const leftOutMessages = [
      { reason: LeftOutReason.LEFT_OUT_REASON_LINK, fileCount: 1n, examples: ["triton"] },
      { reason: 99 as LeftOutReason, fileCount: 4n, examples: [] },
    ];
    const leftOut = [
      { reason: "link", fileCount: 1, examples: ["triton"] },
      { reason: "unknown", fileCount: 4, examples: [] },
    ];
    const client = await connect({
      save: (call, reply) => {
        assert.equal(call.request.ifStoredExists, IfStoredExists.IF_STORED_EXISTS_REPLACE);
        reply(null, {
          status: SaveStatus.SAVE_STATUS_SUCCESS,
          transfer: {
            ...runningTransfer,
            outcome: {
              $case: "save",
              value: {
                status: SaveStatus.SAVE_STATUS_SUCCESS,
                leftOutFileCount: 2n,
                leftOut: leftOutMessages,
                skipReason: SaveSkipReason.SAVE_SKIP_REASON_UNSPECIFIED,
              },
            },
          },
          cache: Cache.fromPartial({ namespace: "n", archiveBytes: 7n, createdAt: new Date(5) }),
          leftOutFileCount: 2n,
          leftOut: leftOutMessages,
          skipReason: SaveSkipReason.SAVE_SKIP_REASON_UNSPECIFIED,
        });
      },
    });
    const result = await client.save({ environment, ifStoredExists: "replace" });
    assert.deepEqual(result, {
      status: "success",
      transfer: {
        operationId: "op1",
        operationName: "",
        kind: "load",
        status: "in_progress",
        phase: "unpacking",
        namespace: "",
        cacheKey: "",
        startedAt: new Date(1000),
        bytesDone: 5,
        bytesTotal: 5_000_000_000,
        filesDone: 0,
        filesTotal: 0,
        outcome: { kind: "save", status: "success", leftOutFileCount: 2, leftOut },
      },
      cache: {
        namespace: "n",
        cacheKey: "",
        filename: "",
        archiveBytes: 7,
        contentBytes: 0,
        fileCount: 0,
        createdAt: new Date(5),
        isCurrentEnvironment: false,
        generation: 0,
      },
      leftOutFileCount: 2,
      leftOut,
    });
  });

  it("says why a save was skipped, where the daemon does", async () => {
    const reasons = [
      SaveSkipReason.SAVE_SKIP_REASON_TOO_LITTLE_NEW,
      SaveSkipReason.SAVE_SKIP_REASON_UNSPECIFIED,
      99 as SaveSkipReason,
    ];
    const client = await connect({
      save: (_call, reply) => {
        const skipReason = reasons.shift() ?? assert.fail();
        const outcome = {
          status: SaveStatus.SAVE_STATUS_SKIPPED,
          leftOutFileCount: 0n,
          leftOut: [],
          skipReason,
        };
        const transfer = {
          ...runningTransfer,
          outcome: { $case: "save", value: outcome } as const,
        };
        reply(null, { ...outcome, transfer });
      },
    });
    const skipped = async () => {
      const { skipReason, transfer } = await client.save({ environment });
      assert.ok(transfer.outcome?.kind === "save");
      assert.equal(transfer.outcome.skipReason, skipReason);
      return skipReason;
    };
    assert.equal(await skipped(), "too_little_new");
    assert.equal(await skipped(), undefined);
    assert.equal(await skipped(), "unknown");
  });

  it("calls a value that it does not know unknown", async () => {
    const client = await connect({
      getTransfer: (_call, reply) =>
        reply(null, { transfer: { ...runningTransfer, phase: 99 as TransferPhase } }),
    });
    assert.equal((await client.getTransfer("op1")).phase, "unknown");
  });

  it("carries code, reason, message, violations and cause of the service's error", async () => {
    const violation = { field: "namespace", description: "is odd", reason: "" };
    const client = await connect({
      deleteCache: (_call, reply) =>
        reply(
          richError(codes.INVALID_ARGUMENT, "namespace: is odd", [
            errorInfo("INVALID_REQUEST"),
            {
              typeUrl: "type.googleapis.com/google.rpc.BadRequest",
              value: Buffer.from(
                BadRequest.encode(
                  BadRequest.fromPartial({ fieldViolations: [violation] }),
                ).finish(),
              ),
            },
          ]),
        ),
    });
    const error = await failureOf(client.deleteCache({ cacheKey: "x" }));
    assert.deepEqual(error.toJSON(), {
      code: "INVALID_ARGUMENT",
      reason: "INVALID_REQUEST",
      message: "namespace: is odd",
      violations: [{ field: "namespace", description: "is odd" }],
    });
    assert.ok(error.cause instanceof Error);
  });

  it("carries the error of a failed transfer", async () => {
    const error = {
      code: codes.DATA_LOSS,
      message: "frame 3 is damaged",
      details: [errorInfo("ARCHIVE_CORRUPT")],
    };
    const client = await connect({
      getTransfer: (_call, reply) => reply(null, { transfer: { ...runningTransfer, error } }),
    });
    const transfer = await client.getTransfer("op1");
    assert.equal(transfer.error?.code, "DATA_LOSS");
    assert.equal(transfer.error?.reason, "ARCHIVE_CORRUPT");
  });

  it("names the address when no daemon answers, and gives no reason", async () => {
    const address = `unix:${join(temporaryDirectory(), "absent.sock")}`;
    const client = createCacheClient({ address });
    const error = await failureOf(client.getTransfer("op1"));
    client.close();
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.reason, undefined);
    const socket = address.slice("unix:".length);
    assert.equal(error.message, `no daemon answers at ${address}: connect ENOENT ${socket}`);
  });

  it("refuses a policy that is none", async () => {
    const client = createCacheClient({ address: "unix:/nowhere.sock" });
    const error = await failureOf(
      client.load({ environment, localDir: "/nowhere", ifLocalExists: "keep" as "skip" }),
    );
    assert.equal(error.reason, "INVALID_REQUEST");
    assert.equal(error.message, 'ifLocalExists: "keep" is none of skip, merge, replace');
  });

  it("ends a call at its deadline", async () => {
    const client = await connect({ load: () => {} }, { timeoutMs: 60_000 });
    const localDir = temporaryDirectory();
    const error = await failureOf(client.load({ environment, localDir }, { timeoutMs: 50 }));
    assert.equal(error.code, "DEADLINE_EXCEEDED");
    assert.match(error.message, /^Deadline exceeded( after [\d.]+s)?$/);
  });

  it("cancels the call on the daemon when the signal aborts", async () => {
    const cancelledThere = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const client = await connect({
      load(call) {
        call.on("cancelled", cancelledThere.resolve);
        started.resolve();
      },
    });
    const controller = new AbortController();
    const loading = failureOf(
      client.load({ environment, localDir: temporaryDirectory() }, { signal: controller.signal }),
    );
    await started.promise;
    controller.abort(new Error("enough"));
    const error = await loading;
    assert.equal(error.code, "CANCELLED");
    assert.equal((error.cause as Error).message, "enough");
    await cancelledThere.promise;
  });

  it("tells the operation id that the daemon names, while the call still waits", async () => {
    const released = Promise.withResolvers<void>();
    const client = await connect({
      async load(call, reply) {
        const metadata = new Metadata();
        metadata.set("compilecache-operation-id", "op1");
        call.sendMetadata(metadata);
        await released.promise;
        reply(null, { status: LoadStatus.LOAD_STATUS_SUCCESS, transfer: runningTransfer });
      },
    });
    const told: string[] = [];
    const onStarted = (operationId: string) => {
      told.push(operationId);
      released.resolve();
    };
    await client.load({ environment, localDir: temporaryDirectory() }, { onStarted });
    assert.deepEqual(told, ["op1"]);
  });

  it("cancels the call, and fails with the error, when what is told the id throws", async () => {
    const cancelledThere = Promise.withResolvers<void>();
    const client = await connect({
      load(call) {
        const metadata = new Metadata();
        metadata.set("compilecache-operation-id", "op1");
        call.once("cancelled", cancelledThere.resolve);
        call.sendMetadata(metadata);
      },
    });
    const error = new Error("a mistake of the caller's");
    const onStarted = () => {
      throw error;
    };
    const loading = client.load({ environment, localDir: temporaryDirectory() }, { onStarted });
    await assert.rejects(loading, error);
    await cancelledThere.promise;
  });

  it("tells no operation id where the daemon names none", async () => {
    const client = await connect({
      load: (_call, reply) =>
        reply(null, { status: LoadStatus.LOAD_STATUS_SUCCESS, transfer: runningTransfer }),
      save: (_call, reply) => reply(richError(codes.UNAVAILABLE, "the store is away", [])),
    });
    const onStarted = () => assert.fail("it was told one");
    const localDir = temporaryDirectory();
    const loaded = await client.load({ environment, localDir }, { onStarted });
    assert.equal(loaded.status, "success");
    await failureOf(client.save({ environment, localDir }, { onStarted }));
  });

  it("does not call at all when the signal has aborted before", async () => {
    const client = await connect({ getTransfer: () => assert.fail("called") });
    const error = await failureOf(client.getTransfer("op1", { signal: AbortSignal.abort() }));
    assert.equal(error.code, "CANCELLED");
  });

  it("goes through all pages", async () => {
    const asked: string[] = [];
    const client = await connect({
      listCaches(call, reply) {
        asked.push(call.request.pageToken);
        const page = asked.length;
        reply(null, {
          caches: [Cache.fromPartial({ cacheKey: `key${page}` })],
          nextPageToken: page < 3 ? `after${page}` : "",
        });
      },
    });
    const caches = await collect(client.allCaches());
    assert.deepEqual(
      caches.map((cache) => cache.cacheKey),
      ["key1", "key2", "key3"],
    );
    assert.deepEqual(asked, ["", "after1", "after2"]);
  });
});

describe("watch", () => {
  it("yields each state and ends with the stream", async () => {
    const client = await connect({
      watchTransfer(call) {
        for (const bytesDone of [1n, 2n, 3n])
          call.write({ transfer: { ...runningTransfer, bytesDone } });
        call.end();
      },
    });
    const states = await collect(client.watch("op1"));
    assert.deepEqual(
      states.map((state) => state.bytesDone),
      [1, 2, 3],
    );
  });

  it("throws the service's error", async () => {
    const client = await connect({
      watchTransfer: (call) =>
        void call.emit(
          "error",
          richError(codes.NOT_FOUND, "no such transfer", [errorInfo("TRANSFER_NOT_FOUND")]),
        ),
    });
    const error = await failureOf(collect(client.watch("op1")));
    assert.equal(error.reason, "TRANSFER_NOT_FOUND");
  });

  it("ends the call on the daemon when the reader leaves the loop", async () => {
    const cancelledThere = Promise.withResolvers<void>();
    const client = await connect({
      watchTransfer(call) {
        call.on("cancelled", cancelledThere.resolve);
        call.write({ transfer: runningTransfer });
      },
    });
    for await (const _state of client.watch("op1")) break;
    await cancelledThere.promise;
  });

  it("throws CANCELLED when the signal aborts while it waits", async () => {
    const client = await connect({
      watchTransfer: (call) => void call.write({ transfer: runningTransfer }),
    });
    const controller = new AbortController();
    const error = await failureOf(
      (async () => {
        for await (const _state of client.watch("op1", { signal: controller.signal }))
          controller.abort();
      })(),
    );
    assert.equal(error.code, "CANCELLED");
  });
});
