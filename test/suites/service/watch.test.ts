import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type CacheServiceClient,
  WatchTransferRequest,
  WatchTransferResponse,
} from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import { CacheError } from "../../../server/src/domain/cache-error.ts";
import { failureOf } from "../../support/client/service-client.ts";
import { FakeTransfer, fakeOperations } from "../../support/daemon/fake-operations.ts";
import { serve } from "../../support/daemon/served-operations.ts";
import { eventually } from "../../support/eventually.ts";

async function serveOne(t: TestContext, transfer: FakeTransfer) {
  return serve(t, fakeOperations({ getTransfer: () => transfer }));
}

/** Reads a watch to its end. */
async function bytesSeen(client: CacheServiceClient): Promise<bigint[]> {
  const seen: bigint[] = [];
  for await (const message of client.watchTransfer({ operationId: "op-1" }))
    seen.push(message.transfer.bytesDone);
  return seen;
}

/** A watch over plain HTTP/2, whose messages are read only when asked for. */
function rawWatch(t: TestContext, address: string) {
  const socketPath = address.replace("unix:", "");
  const session = connectHttp2("http://localhost", { createConnection: () => connect(socketPath) });
  t.after(() => session.destroy());
  const stream = session.request({
    ":method": "POST",
    ":path": "/compilecache.v1.CacheService/WatchTransfer",
    "content-type": "application/grpc",
    te: "trailers",
  });
  const request = WatchTransferRequest.encode({ operationId: "op-1" }).finish();
  stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]));
  const messages = async () => {
    const bytes = Buffer.concat(await stream.toArray());
    const decoded: WatchTransferResponse[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.readUInt32BE(at + 1);
      decoded.push(WatchTransferResponse.decode(bytes.subarray(at + 5, at + 5 + length)));
      at += 5 + length;
    }
    return decoded;
  };
  return { stream, messages };
}

describe("WatchTransfer", () => {
  test("sends the present state, changes and the final state, then ends OK", async (t) => {
    const transfer = new FakeTransfer({ bytesDone: 1 });
    const { client } = await serveOne(t, transfer);
    const seen: bigint[] = [];
    for await (const message of client.watchTransfer({ operationId: "op-1" })) {
      seen.push(message.transfer.bytesDone);
      if (seen.length === 1) transfer.change({ bytesDone: 2 });
      if (seen.length === 2) transfer.fail(new CacheError("CANCELLED", "stopped"));
    }
    assert.deepEqual(seen, [1n, 2n, 2n]);
  });

  test("fails for an unknown operation", async (t) => {
    const operations = fakeOperations({
      getTransfer: (id) => {
        throw new CacheError("TRANSFER_NOT_FOUND", `no transfer ${id}`);
      },
    });
    const { client } = await serve(t, operations);
    const failure = await failureOf(bytesSeen(client));
    assert.equal(failure.code, 5);
    assert.equal(failure.info?.reason, "TRANSFER_NOT_FOUND");
  });

  test("stops watching when the caller goes away", async (t) => {
    const transfer = new FakeTransfer();
    const { client } = await serveOne(t, transfer);
    const stream = client.watchTransfer({ operationId: "op-1" });
    stream.on("error", () => {});
    await eventually("the watch", () => transfer.watchers === 1);
    stream.cancel();
    await eventually("the end of the watch", () => transfer.watchers === 0);
  });

  test("skips states for a reader that does not read, and sends it the last one", async (t) => {
    const transfer = new FakeTransfer();
    let pulled = 0;
    const watch = transfer.watch.bind(transfer);
    transfer.watch = async function* (signal) {
      for await (const state of watch(signal)) {
        pulled++;
        yield state;
      }
    };
    const { address } = await serveOne(t, transfer);
    const { stream, messages } = rawWatch(t, address);
    await once(stream, "response");
    const long = "x".repeat(10_000);
    for (let bytesDone = 1; bytesDone <= 400; bytesDone++) {
      transfer.change({ bytesDone, operationName: long });
      await delay(1);
    }
    assert.ok(pulled < 100, `${pulled} states were sent to a reader that reads none`);
    transfer.change({ status: "SUCCESS", bytesDone: 1000 });
    const seen = await messages();
    assert.equal(seen.length, pulled);
    assert.equal(seen.at(-1)?.transfer?.bytesDone, 1000n);
  });

  test("encodes a state once for 1,000 watchers", async (t) => {
    let encoded = 0;
    const name = {
      toString() {
        encoded++;
        return "a load";
      },
    };
    const transfer = new FakeTransfer();
    const { client } = await serveOne(t, transfer);
    const watchers = Array.from({ length: 1000 }, () => bytesSeen(client));
    await eventually("all watches", () => transfer.watchers === 1000);
    const state = { ...transfer.state, status: "SUCCESS", bytesDone: 5 } as const;
    // Read whenever the state is encoded.
    Object.defineProperty(state, "operationName", { get: () => `${name}`, enumerable: true });
    transfer.state = state;
    transfer.wake();
    for (const seen of await Promise.all(watchers)) assert.equal(seen.at(-1), 5n);
    assert.equal(encoded, 1);
  });
});
