import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { status as codes } from "@grpc/grpc-js";
import {
  collect,
  connect,
  environment,
  errorInfo,
  failureOf,
  richError,
  runningTransfer,
  temporaryDirectory,
} from "../../../test/support/client/scripted-service.ts";
import { Cache } from "../gen/compilecache/v1/cache.ts";
import { IfLocalExists, IfStoredExists } from "../gen/compilecache/v1/cache_service.ts";
import {
  LeftOutReason,
  LoadStatus,
  SaveSkipReason,
  SaveStatus,
  type TransferPhase,
} from "../gen/compilecache/v1/transfer.ts";
import { BadRequest } from "../gen/google/rpc/error_details.ts";
import { createCacheClient } from "./index.ts";

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

  it("knows the reason of a transfer that was cancelled or late, also where an older daemon gives none", async () => {
    for (const reason of ["CANCELLED", "DEADLINE_EXCEEDED"] as const) {
      const error = { code: codes[reason], message: "gone", details: [] };
      const client = await connect({
        getTransfer: (_call, reply) => reply(null, { transfer: { ...runningTransfer, error } }),
      });
      assert.equal((await client.getTransfer("op1")).error?.reason, reason);
    }
  });

  it("names the address when no daemon answers, and gives no reason", async () => {
    const address = `unix:${join(temporaryDirectory(), "absent.sock")}`;
    // To the second, gRPC says nothing of why the first failed.
    const clients = [createCacheClient({ address }), createCacheClient({ address })];
    const socket = address.slice("unix:".length);
    for (const client of clients) {
      const error = await failureOf(client.getTransfer("op1"));
      assert.equal(error.code, "UNAVAILABLE");
      assert.equal(error.reason, undefined);
      assert.equal(
        error.message,
        `no daemon answers at ${address}: connect ENOENT ${socket}\n` +
          `Start one there with: compilecache serve --listen ${address}`,
      );
    }
    for (const client of clients) client.close();
  });

  it("says how a token is sent, where the daemon wants another", async () => {
    const client = await connect({
      getTransfer: (_call, reply) =>
        reply(richError(codes.UNAUTHENTICATED, "it wants one", [errorInfo("UNAUTHENTICATED")])),
    });
    const { message } = await failureOf(client.getTransfer("op1"));
    assert.equal(
      message,
      "it wants one; what is sent is COMPILE_CACHE_TOKEN, or the option token of a client in code",
    );
  });

  it("refuses a policy that is none", async () => {
    const client = createCacheClient({ address: "unix:/nowhere.sock" });
    const error = await failureOf(
      client.load({ environment, localDir: "/nowhere", ifLocalExists: "keep" as "skip" }),
    );
    assert.equal(error.reason, "INVALID_REQUEST");
    assert.equal(error.message, 'ifLocalExists: "keep" is none of skip, merge, replace');
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

describe("the address", () => {
  it("is looked for at the first call, not before", async (t) => {
    const dir = temporaryDirectory();
    const before = process.env.COMPILE_CACHE_ADDRESS;
    t.after(() => {
      if (before === undefined) delete process.env.COMPILE_CACHE_ADDRESS;
      else process.env.COMPILE_CACHE_ADDRESS = before;
    });
    delete process.env.COMPILE_CACHE_ADDRESS;
    const client = createCacheClient({ timeoutMs: 5_000 });
    process.env.COMPILE_CACHE_ADDRESS = `unix:${dir}/later.sock`;
    await assert.rejects(client.listCaches(), {
      message: /no daemon answers at unix:.*later\.sock/,
    });
    assert.equal(client.address, `unix:${dir}/later.sock`);
    client.close();
  });
});
