import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:http2";
import { join } from "node:path";
import { describe, it } from "node:test";
import { status as codes, Metadata } from "@grpc/grpc-js";
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
import { LoadStatus } from "../gen/compilecache/v1/transfer.ts";
import { createCacheClient } from "./index.ts";

describe("a call that waits", () => {
  it("ends a call at its deadline", async () => {
    const client = await connect({ load: () => {} }, { timeoutMs: 60_000 });
    const localDir = temporaryDirectory();
    const error = await failureOf(client.load({ environment, localDir }, { timeoutMs: 50 }));
    assert.equal(error.code, "DEADLINE_EXCEEDED");
    assert.equal(error.reason, "DEADLINE_EXCEEDED");
    assert.match(error.message, /^Deadline exceeded( after [\d.]+s)?$/);
  });

  it("ends a call at the deadline of its signal, and says so", async () => {
    const client = await connect({ load: () => {} });
    for (const signal of [AbortSignal.timeout(50), AbortSignal.timeout(0)]) {
      const localDir = temporaryDirectory();
      const error = await failureOf(client.load({ environment, localDir }, { signal }));
      assert.equal(error.code, "DEADLINE_EXCEEDED");
      assert.equal(error.reason, "DEADLINE_EXCEEDED");
      assert.equal(error.message, "the signal of the call timed out");
      assert.equal((error.cause as Error).name, "TimeoutError");
    }
  });

  it("tells a daemon that goes away from one that is not there", async (t) => {
    const path = join(temporaryDirectory(), "daemon.sock");
    const server = createServer().on("stream", ({ session }) => session?.destroy());
    await once(server.listen(path), "listening");
    const client = createCacheClient({ address: `unix:${path}` });
    t.after(() => client.close());
    const gone = await failureOf(client.getTransfer("op1"));
    assert.deepEqual([gone.code, gone.reason], ["UNAVAILABLE", undefined]);
    assert.equal(
      gone.message.replace(/: [^:]*$/, ""),
      `the daemon at unix:${path} went away during the call, or is cut off`,
    );
    server.close();
    const absent = await failureOf(client.getTransfer("op1"));
    assert.match(absent.message, /^no daemon answers at .*\nStart one there with: /);
  });

  it("does not call with a deadline that is none", async () => {
    const client = await connect({ getTransfer: () => assert.fail("called") });
    const error = await failureOf(client.getTransfer("op1", { timeoutMs: -1 }));
    assert.equal(error.reason, "INVALID_REQUEST");
    assert.match(error.message, /^timeoutMs: -1 is no deadline; give /);
    assert.deepEqual(
      error.violations.map(({ field }) => field),
      ["timeoutMs"],
    );
  });

  it("waits under any deadline, however long: beyond 24.8 days it is none", async () => {
    const client = await connect({
      getTransfer: (call, reply) => {
        const leftMs = Number(call.getDeadline()) - Date.now();
        const operationId = leftMs === Number.POSITIVE_INFINITY ? "none" : "some";
        setTimeout(() => reply(null, { transfer: { ...runningTransfer, operationId } }), 30);
      },
    });
    const cases = [
      [2_147_483_000, "some"],
      [2_147_483_001, "none"],
      [2 ** 31 - 1, "none"],
      [2 ** 31, "none"],
      [2_592_000_000, "none"],
      [3.7e14, "none"],
      [Number.MAX_SAFE_INTEGER, "none"],
      [Number.MAX_VALUE, "none"],
    ] as const;
    for (const [timeoutMs, deadline] of cases) {
      const { operationId } = await client.getTransfer("op1", { timeoutMs });
      assert.equal(operationId, deadline, String(timeoutMs));
    }
  });

  it("is not started by a client that is closed, which says so", async () => {
    const client = await connect({});
    client.close();
    client.close();
    const localDir = join(temporaryDirectory(), "made");
    for (const call of [
      client.load({ namespace: "n", environment, localDir }),
      client.listCaches(),
      collect(client.watch("op1")),
    ]) {
      const { code, reason, message } = await failureOf(call);
      assert.deepEqual([code, reason], ["FAILED_PRECONDITION", undefined]);
      assert.match(message, /^this client is closed; /);
    }
    assert.equal(existsSync(localDir), false);
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
    assert.equal(error.reason, "CANCELLED");
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
