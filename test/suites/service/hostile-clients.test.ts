import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { credentials, Metadata, makeClientConstructor } from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import { reflectionMethod } from "../../../server/src/service/reflection-answers.ts";
import { startAttackedDaemon } from "../../support/attack/attacked-daemon.ts";
import { attacks } from "../../support/attack/attacks.ts";
import {
  callHeaders,
  flag,
  frame,
  frameType,
  headerBlock,
  message,
  preface,
  settings,
} from "../../support/attack/http2-frames.ts";
import { sessionTo, socketTo, targetOf } from "../../support/attack/peer.ts";
import { sendMutated } from "../../support/attack/send-mutated.ts";
import { call, connect, failureOf } from "../../support/client/service-client.ts";
import { startTestDaemon } from "../../support/daemon/daemon-in-process.ts";
import { FakeTransfer, fakeOperations } from "../../support/daemon/fake-operations.ts";
import { serve } from "../../support/daemon/served-operations.ts";
import { eventually } from "../../support/eventually.ts";

const listPath = "/compilecache.v1.CacheService/ListTransfers";
const noneListed = { listTransfers: () => ({ items: [], nextPageToken: "" }) };
const noTransfers = fakeOperations(noneListed);

/** A session that ends with the test, and calls on it whose answers may be left unread. */
function rawSession(t: TestContext, address: string, initialWindowSize = 65_535) {
  const session = sessionTo(targetOf(address), { initialWindowSize });
  t.after(() => session.destroy());
  const request = (path: string, options: { ends?: boolean; body?: Uint8Array } = {}) => {
    const { ends = true, body = message(Buffer.alloc(0)) } = options;
    const stream = session.request(Object.fromEntries(callHeaders(path)));
    stream.on("error", () => {}).write(body);
    if (ends) stream.end();
    return stream;
  };
  return { session, request };
}

/** The status that a raw call ends with, of its headers or its trailers. */
function statusOf(stream: ReturnType<ReturnType<typeof rawSession>["request"]>) {
  const { promise, resolve } = Promise.withResolvers<{ code: string; text: string }>();
  for (const event of ["response", "trailers"] as const)
    stream.on(event, (headers) => {
      if (headers["grpc-status"] !== undefined)
        resolve({
          code: String(headers["grpc-status"]),
          text: decodeURI(String(headers["grpc-message"])),
        });
    });
  return promise;
}

describe("credentials", () => {
  it("are judged before a request is read", async (t) => {
    const { address } = await serve(t, noTransfers, { tokens: "read secret" });
    const { request } = rawSession(t, address);
    const stream = request(listPath, { ends: false, body: Buffer.alloc(2) });
    assert.equal((await statusOf(stream)).code, "16");
  });

  it("are needed for reflection where tokens are configured", async (t) => {
    const { address } = await serve(t, noTransfers, { tokens: "read secret" });
    const Client = makeClientConstructor({ info: reflectionMethod("v1") }, "Reflection");
    const client = new Client(address, credentials.createInsecure());
    t.after(() => client.close());
    const ask = (metadata: Metadata) => {
      const stream = client.info?.(metadata);
      stream.write({ host: "", messageRequest: { case: "listServices", value: "" } });
      stream.end();
      return stream.toArray();
    };
    await assert.rejects(ask(new Metadata()), { code: 16 });
    const shown = new Metadata();
    shown.set("authorization", "Bearer secret");
    assert.equal((await ask(shown)).length, 1);
  });
});

describe("connections", () => {
  it("give way that never called, then those whose calls are over, and none with a running call", async (t) => {
    const transfer = new FakeTransfer();
    const operations = fakeOperations({ ...noneListed, getTransfer: () => transfer });
    const { address, lines } = await serve(t, operations, { maxConnections: 3 });
    const watcher = connect(t, address);
    const watch = watcher.watchTransfer({ operationId: "op-1" });
    t.after(() => watch.cancel());
    const states: unknown[] = [];
    watch.on("data", (state) => states.push(state)).on("error", () => {});
    await eventually("the watcher is served", () => states.length === 1);
    const quiet = rawSession(t, address);
    await statusOf(quiet.request(listPath).resume());
    const silent = Array.from({ length: 10 }, () => socketTo(targetOf(address)).resume());
    t.after(() => {
      for (const socket of silent) socket.destroy();
    });
    await eventually(
      "one silent connection is left",
      () => silent.filter(({ closed }) => !closed).length === 1,
    );
    assert.equal(quiet.session.destroyed, false);
    // Calls are let in all the same.
    for (let n = 0; n < 2; n++) await statusOf(rawSession(t, address).request(listPath).resume());
    await eventually("the idle one closes", () => quiet.session.destroyed);
    transfer.change({ filesDone: 7 });
    await eventually("the watcher is told", () => states.length === 2);
    assert.equal(lines.filter(({ level }) => level === "warn").length, 1);
  });
});

describe("calls", () => {
  it("take nothing any more once they are cancelled", async (t) => {
    const { address, client } = await serve(t, noTransfers);
    const sessions = Array.from({ length: 10 }, () => rawSession(t, address));
    // More than may be open at once, of all connections.
    for (const [round, { request }] of sessions.entries()) {
      const streams = Array.from({ length: 500 }, () => request(listPath, { ends: false }));
      const closed = streams.map(
        (stream) => new Promise((resolve) => stream.once("close", resolve)),
      );
      // Some have reached the daemon when they are cancelled, and some have not.
      if (round % 2 === 0) await call(client, "listTransfers");
      for (const stream of streams) stream.close();
      await Promise.all(closed);
    }
    // The one that holds most would have been closed.
    for (const { session, request } of sessions) {
      await statusOf(request(listPath).resume());
      assert.equal(session.destroyed, false);
    }
  });

  it("are refused of a connection that reads no answers, and not of another", async (t) => {
    const items = Array.from(
      { length: 1000 },
      () => new FakeTransfer({ operationName: "x".repeat(250) }).state,
    );
    const operations = fakeOperations({ listTransfers: () => ({ items, nextPageToken: "" }) });
    const { address, client } = await serve(t, operations);
    const { request } = rawSession(t, address, 0);
    const statuses = Array.from({ length: 100 }, () => statusOf(request(listPath)));
    const { code, text } = await Promise.race(statuses);
    assert.equal(code, "8");
    assert.match(text, /^this connection has \d+ bytes of answers that it has not read/);
    assert.equal((await call(client, "listTransfers")).transfers.length, 1000);
  });

  it("may be refused and reset at once", async (t) => {
    const { address, client } = await serve(t, noTransfers);
    const reset = frame(frameType.rstStream, 0, 1, Buffer.from([0, 0, 0, 8]));
    for (const [path, type] of [
      ["/nobody/knows", "application/grpc"],
      [listPath, "text/html"],
    ] as const) {
      const headers = callHeaders(path).map(([name, value]): [string, string] =>
        name === "content-type" ? [name, type] : [name, value],
      );
      const opened = frame(frameType.headers, flag.endHeaders, 1, headerBlock(headers));
      const socket = socketTo(targetOf(address)).resume();
      t.after(() => socket.destroy());
      socket.write(Buffer.concat([preface, settings(), opened, reset]));
      await call(client, "listTransfers");
    }
  });

  it("may have 16 KiB of metadata", async (t) => {
    const { client } = await serve(t, noTransfers);
    await call(client, "listTransfers", {}, { metadata: { big: "x".repeat(15_000) } });
    const failure = await failureOf(
      call(client, "listTransfers", {}, { metadata: { big: "x".repeat(17_000) } }),
    );
    assert.equal(failure.info?.reason, "OVERLOADED");
  });
});

describe("the health service", () => {
  it("answers watchers of any name, and tells those of the service's own of a stop", async (t) => {
    const { address, served } = await serve(t, noTransfers);
    const Client = makeClientConstructor(healthService, "Health");
    const client = new Client(address, credentials.createInsecure());
    t.after(() => client.close());
    const seen: Record<string, string[]> = {};
    for (const service of ["", "nobody's"]) {
      seen[service] = [];
      client
        .Watch?.({ service })
        .on("error", () => {})
        .on("data", ({ status }: { status: string }) => seen[service]?.push(status));
    }
    await eventually("both are told", () =>
      Object.values(seen).every(({ length }) => length === 1),
    );
    assert.deepEqual(seen, { "": ["SERVING"], "nobody's": ["SERVICE_UNKNOWN"] });
    await served.stop(0);
    await eventually("one is told of the stop", () => seen[""]?.[1] === "NOT_SERVING");
  });
});

describe("a daemon under attack", () => {
  it("answers nothing as a bug, and goes on, whatever 500 mutated requests ask", async (t) => {
    // The first of those that `npm run test:attack` sends.
    const { address, client, lines } = await startTestDaemon(t);
    await sendMutated(targetOf(address), 0, 500);
    assert.deepEqual((await call(client, "listCaches")).caches, []);
    assert.deepEqual(
      lines.filter(({ level }) => level === "error"),
      [],
    );
  });

  // All of them, for longer, are in `npm run test:attack`.
  for (const attack of [
    "silent connections",
    "reflection that is not read",
    "lists that are not read",
    "HTTP/1: headers byte by byte",
    "HTTP/1: huge lengths",
  ])
    it(`serves others, and recovers: ${attack}`, async (t) => {
      assert.ok(attacks[attack]);
      const dir = await mkdtemp(join(tmpdir(), "cc-attacked-"));
      t.after(() => rm(dir, { recursive: true, force: true }));
      const attacked = await startAttackedDaemon(dir, { descriptors: 256, history: 300 });
      t.after(() => attacked.end());
      const aftermath = await attacked.attackedBy(attack, 1000);
      assert.deepEqual(aftermath.refused, []);
      assert.ok(aftermath.recovered && aftermath.served > 0);
      assert.ok(aftermath.peakMiB < 512, `${aftermath.peakMiB} MiB`);
    });
});
