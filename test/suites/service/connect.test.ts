import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { ErrorInfo } from "compilecache-client/gen/google/rpc/error_details.ts";
import { CacheError, invalidField } from "../../../server/src/domain/cache-error.ts";
import { socketTo, targetOf } from "../../support/attack/peer.ts";
import { connectCall, enveloped } from "../../support/client/connect-client.ts";
import { call } from "../../support/client/service-client.ts";
import {
  cacheKey,
  environment,
  startTestDaemon,
  writeFiles,
} from "../../support/daemon/daemon-in-process.ts";
import { FakeTransfer, fakeOperations } from "../../support/daemon/fake-operations.ts";
import { serve } from "../../support/daemon/served-operations.ts";
import { eventually } from "../../support/eventually.ts";

const streaming = { headers: { "content-type": "application/connect+json" } };
const none = { listTransfers: () => ({ items: [], nextPageToken: "" }) };

describe("the Connect protocol on a socket", () => {
  it("saves, tells and loads, beside gRPC", async (t) => {
    const { address, client, localDir } = await startTestDaemon(t);
    writeFiles(localDir, 3);
    // Names as the contract has them, or as JSON likes them.
    const saved = await connectCall(address, "Save", {
      environment: { torch_version: environment.torchVersion },
      local_dir: localDir,
    }).answer;
    assert.equal(saved.status, 200, saved.body.toString());
    const { transfer, ...outcome } = saved.json() as { transfer: Record<string, unknown> };
    assert.deepEqual(
      { status: outcome["status" as never], key: transfer.cacheKey },
      { status: "SAVE_STATUS_SUCCESS", key: cacheKey },
    );
    assert.equal(saved.headers["compilecache-operation-id"], transfer.operationId);

    const watched = await connectCall(
      address,
      "WatchTransfer",
      enveloped({ operationId: transfer.operationId }),
      streaming,
    ).answer;
    assert.deepEqual(
      watched.messages().map(({ flags, message }) => [flags, message.transfer !== undefined]),
      [
        [0, true],
        [2, false],
      ],
    );
    assert.deepEqual((await call(client, "listCaches", {})).caches.length, 1);
    const info = await connectCall(address, "GetCacheInfo", {
      environment: { torchVersion: environment.torchVersion },
      localDir,
    }).answer;
    const { localFileCount } = info.json();
    assert.equal(localFileCount, "3");
  });

  it("has errors with their reason and violations", async (t) => {
    const transfer = new FakeTransfer();
    const operations = fakeOperations({
      getTransfer: () => transfer,
      deleteCache: () => {
        throw invalidField("cache_key", "is odd");
      },
      getCacheInfo: () => {
        throw new CacheError("STORE_UNAVAILABLE", "the store is away");
      },
    });
    const { address, lines } = await serve(t, operations);
    const odd = await connectCall(address, "DeleteCache", { cacheKey: "x" }).answer;
    assert.equal(odd.status, 400);
    const { code, details } = odd.json() as { code: string; details: Record<string, unknown>[] };
    assert.equal(code, "invalid_argument");
    assert.deepEqual(
      details.map(({ type, debug }) => [type, debug]),
      [
        ["google.rpc.ErrorInfo", { reason: "INVALID_REQUEST", domain: "compilecache" }],
        [
          "google.rpc.BadRequest",
          { fieldViolations: [{ field: "cache_key", description: "is odd" }] },
        ],
      ],
    );
    const info = ErrorInfo.decode(Buffer.from(String(details[0]?.value), "base64"));
    assert.equal(info.reason, "INVALID_REQUEST");

    const away = await connectCall(address, "GetCacheInfo", {}).answer;
    assert.deepEqual([away.status, away.json().code], [503, "unavailable"]);

    const bug = await connectCall(address, "ListCaches", {}).answer;
    assert.equal(bug.status, 500);
    assert.doesNotMatch(bug.body.toString(), /secret/);
    assert.ok(lines.some(({ message }) => message === "a call failed on a bug"));

    transfer.fail(new CacheError("ARCHIVE_CORRUPT", "it is damaged"));
    const failed = await connectCall(address, "GetTransfer", { operationId: "op-1" }).answer;
    const { error } = failed.json().transfer as { error: object };
    assert.deepEqual(error, {
      code: 15,
      message: "it is damaged",
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.ErrorInfo",
          reason: "ARCHIVE_CORRUPT",
          domain: "compilecache",
        },
      ],
    });
    const nothing = await connectCall(address, "WatchTransfer", enveloped({}), streaming).answer;
    assert.equal(nothing.status, 200);
    const [end] = nothing.messages();
    assert.equal(end?.flags, 2);
    assert.match(JSON.stringify(end?.message), /"code":"invalid_argument"/);
  });

  it("tells the operation id at once, and ends the call of a caller that leaves", async (t) => {
    const transfer = new FakeTransfer();
    const { address } = await serve(t, fakeOperations({ load: async () => transfer }));
    const load = connectCall(address, "Load", {});
    load.answer.catch(() => {});
    assert.equal((await load.early)["compilecache-operation-id"], "op-1");
    assert.equal(transfer.waiters, 1);
    load.leave();
    await eventually("transfer.waiters is 0", () => transfer.waiters === 0);

    const failing = connectCall(address, "Load", {});
    await failing.early;
    transfer.fail(new CacheError("ARCHIVE_CORRUPT", "it is damaged"));
    assert.equal((await failing.answer).status, 500);
  });

  it("keeps a caller's deadline", async (t) => {
    const { address } = await serve(t, fakeOperations({ load: async () => new FakeTransfer() }));
    const late = connectCall(address, "Load", {}, { headers: { "connect-timeout-ms": "20" } });
    const { status, json } = await late.answer;
    assert.deepEqual([status, json().code], [504, "deadline_exceeded"]);
    const odd = connectCall(address, "Load", {}, { headers: { "connect-timeout-ms": "soon" } });
    assert.equal((await odd.answer).status, 400);
  });

  it("streams what changes, to who takes it", async (t) => {
    const transfer = new FakeTransfer();
    const { address } = await serve(t, fakeOperations({ getTransfer: () => transfer }));
    const watch = connectCall(
      address,
      "WatchTransfer",
      enveloped({ operationId: "op-1" }),
      streaming,
    );
    await eventually("transfer.watchers is 1", () => transfer.watchers === 1);
    transfer.change({ status: "SUCCESS", bytesDone: 7, bytesTotal: 7 });
    const states = (await watch.answer).messages();
    const last = states.at(-2)?.message.transfer as Record<string, unknown>;
    assert.deepEqual([last.status, last.bytesDone], ["TRANSFER_STATUS_SUCCESS", "7"]);

    const another = new FakeTransfer();
    const left = await serve(t, fakeOperations({ getTransfer: () => another }));
    const leaving = connectCall(
      left.address,
      "WatchTransfer",
      enveloped({ operationId: "op-1" }),
      streaming,
    );
    leaving.answer.catch(() => {});
    await eventually("another.watchers is 1", () => another.watchers === 1);
    leaving.leave();
    await eventually("another.watchers is 0", () => another.watchers === 0);
  });

  it("lets in by the same rules", async (t) => {
    const { address, lines } = await serve(t, fakeOperations(none), { tokens: "read secret" });
    const refused = await connectCall(address, "ListTransfers").answer;
    assert.deepEqual([refused.status, refused.json().code], [401, "unauthenticated"]);
    const warning = lines.find(({ message }) => message === "a call was refused");
    assert.equal(warning?.fields?.audit, "ListTransfers");
    const headers = { authorization: "Bearer secret" };
    const served = await connectCall(address, "ListTransfers", {}, { headers }).answer;
    assert.equal(served.status, 200);
  });

  it("refuses what is no call, no request and too much", async (t) => {
    const { address } = await serve(t, fakeOperations(none));
    const statusOf = async (
      ...request: Parameters<typeof connectCall> extends [string, ...infer Rest] ? Rest : never
    ) => (await connectCall(address, ...request).answer).status;
    assert.equal(await statusOf("Nothing"), 404);
    assert.equal(await statusOf("ListTransfers", "", { verb: "GET" }), 405);
    assert.equal(
      await statusOf("ListTransfers", {}, { headers: { "content-type": "text/html" } }),
      415,
    );
    assert.equal(
      await statusOf("ListTransfers", {}, { headers: { "content-encoding": "gzip" } }),
      501,
    );
    for (const body of ["[]", "null", "{", { pageSize: "many" }, { pageSize: 1e300 }])
      assert.equal(await statusOf("ListTransfers", body), 400, JSON.stringify(body));
    assert.equal(await statusOf("WatchTransfer", "{}", streaming), 200);
    const large = { pageToken: "x".repeat(33 * 1024) };
    assert.equal(await statusOf("ListTransfers", large), 429);
    const chunked = { headers: { "transfer-encoding": "chunked" } };
    assert.equal(await statusOf("ListTransfers", large, chunked), 429);
    assert.equal(
      await statusOf("ListTransfers", {}, { headers: { "x-much": "x".repeat(20_000) } }),
      431,
    );
  });

  it("takes one call of a connection, and closes one that brings more", async (t) => {
    let count = 0;
    const operations = fakeOperations({
      listTransfers: () => {
        count += 1;
        return { items: [], nextPageToken: "" };
      },
    });
    const { address } = await serve(t, operations);
    const socket = socketTo(targetOf(address));
    const head = "POST /compilecache.v1.CacheService/ListTransfers HTTP/1.1\r\nhost: x\r\n";
    const one = `${head}content-type: application/json\r\ncontent-length: 2\r\n\r\n{}`;
    socket.write(one + one);
    await socket.toArray();
    assert.ok(count <= 1);
  });

  it("greets who waits to hear it, as gRPC does, and minds none who says half a word", async (t) => {
    const { address, client } = await serve(t, fakeOperations(none));
    const silent = socketTo(targetOf(address));
    const [greeting] = (await once(silent, "data")) as [Buffer];
    // A frame of settings.
    assert.equal(greeting[3], 4);
    silent.destroy();
    for (const word of ["P", "PR", "PRI", "PO", "\0"]) {
      const socket = socketTo(targetOf(address));
      socket.write(word);
      await eventually("the word is sent", () => socket.bytesWritten > 0);
      socket.destroy();
    }
    await call(client, "listTransfers", {});
  });

  it("is not spoken over TCP", async (t) => {
    const { address } = await startTestDaemon(t, { listen: "127.0.0.1:0" });
    await assert.rejects(connectCall(address, "ListTransfers").answer);
  });
});
