import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { credentials, makeClientConstructor } from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import {
  type ReflectionRequest,
  type ReflectionResponse,
  reflectionMethod,
} from "../../../server/src/service/reflection-answers.ts";
import { startTestDaemon, writeFiles } from "../../support/daemon/daemon-in-process.ts";
import { fakeOperations } from "../../support/daemon/fake-operations.ts";
import { serve } from "../../support/daemon/served-operations.ts";

const run = promisify(execFile);
const grpcurlPath = [`${homedir()}/go/bin/grpcurl`, "/usr/local/bin/grpcurl"].find(existsSync);
const services = [
  "compilecache.v1.CacheService",
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];

async function healthOf(t: TestContext, address: string, service: string): Promise<unknown> {
  const Client = makeClientConstructor(healthService, "Health");
  const client = new Client(address, credentials.createInsecure());
  t.after(() => client.close());
  return new Promise((resolve, reject) => {
    client.Check?.({ service }, (error: Error | null, response: { status: string }) =>
      error ? reject(error) : resolve(response.status),
    );
  });
}

type Asked = ReflectionRequest["messageRequest"];

/** The answers to some reflection requests, all in one stream. */
async function reflect(
  t: TestContext,
  address: string,
  version: "v1" | "v1alpha",
  asked: Asked[],
): Promise<ReflectionResponse["messageResponse"][]> {
  const Client = makeClientConstructor({ info: reflectionMethod(version) }, "Reflection");
  const client = new Client(address, credentials.createInsecure());
  t.after(() => client.close());
  const stream = client.info?.();
  for (const messageRequest of asked) stream.write({ host: "", messageRequest });
  stream.end();
  const responses: ReflectionResponse[] = await stream.toArray();
  return responses.map(({ messageResponse }) => messageResponse);
}

describe("health", () => {
  test("is open without a token, and says NOT_SERVING from the start of a stop", async (t) => {
    const closed = Promise.withResolvers<void>();
    const operations = fakeOperations({ close: () => closed.promise });
    const { address, served } = await serve(t, operations, { tokens: "read r" });
    for (const name of ["", "compilecache.v1.CacheService"])
      assert.equal(await healthOf(t, address, name), "SERVING");
    await assert.rejects(healthOf(t, address, "no.such.Service"), { code: 5 });

    const stopped = served.stop(600_000);
    for (const name of ["", "compilecache.v1.CacheService"])
      assert.equal(await healthOf(t, address, name), "NOT_SERVING");
    closed.resolve();
    await stopped;
  });
});

describe("reflection", () => {
  test("answers on v1 and v1alpha", async (t) => {
    const { address } = await serve(t, fakeOperations({}));
    for (const version of ["v1", "v1alpha"] as const) {
      const [list, symbol, method, file, unknown, extension] = await reflect(t, address, version, [
        { case: "listServices", value: "" },
        { case: "fileContainingSymbol", value: "compilecache.v1.CacheService" },
        { case: "fileContainingSymbol", value: "compilecache.v1.CacheService.Load" },
        { case: "fileByFilename", value: "google/rpc/status.proto" },
        { case: "fileContainingSymbol", value: "no.such.Symbol" },
        { case: "allExtensionNumbersOfType", value: "compilecache.v1.Cache" },
      ]);
      assert.ok(list?.case === "listServicesResponse");
      assert.deepEqual(
        list.value.service.map(({ name }) => name),
        services,
      );
      assert.ok(symbol?.case === "fileDescriptorResponse");
      assert.deepEqual(method, symbol);
      // The file itself, and all that it needs.
      assert.equal(symbol.value.fileDescriptorProto.length, 7);
      assert.ok(file?.case === "fileDescriptorResponse");
      assert.equal(file.value.fileDescriptorProto.length, 2);
      assert.ok(unknown?.case === "errorResponse" && unknown.value.errorCode === 5);
      assert.ok(extension?.case === "errorResponse" && extension.value.errorCode === 12);
    }
  });

  test("lets grpcurl list, describe and call everything", async (t) => {
    if (!grpcurlPath) return t.skip("grpcurl is not installed");
    // Not every version of grpcurl connects to a Unix socket.
    const { address, localDir, dir } = await startTestDaemon(t, { listen: "127.0.0.1:0" });
    writeFiles(localDir, 1);
    const grpcurl = async (flags: string[], ...rest: string[]) =>
      (await run(grpcurlPath, ["-plaintext", ...flags, address, ...rest])).stdout;

    assert.deepEqual((await grpcurl([], "list")).trim().split("\n"), services);
    for (const service of services) {
      const methods = (await grpcurl([], "list", service)).trim().split("\n");
      for (const method of methods)
        assert.match(await grpcurl([], "describe", method), /is a method/);
    }
    assert.match(
      await grpcurl([], "describe", "compilecache.v1.Transfer"),
      /Random name of this transfer[\s\S]*operation_id = 1/,
    );
    assert.match(await grpcurl([], "grpc.health.v1.Health/Check"), /"status": "SERVING"/);

    const ask = async (method: string, request: object) =>
      JSON.parse(
        await grpcurl(["-d", JSON.stringify(request)], `compilecache.v1.CacheService/${method}`),
      );
    const environment = { torch_version: "2" };
    assert.equal((await ask("Save", { environment })).status, "SAVE_STATUS_SUCCESS");
    assert.deepEqual(await ask("ClearLocalCache", {}), { bytes: "1000", fileCount: "1" });
    const load = await ask("Load", { environment, detach: true });
    assert.equal(load.status, "LOAD_STATUS_IN_PROGRESS");
    const { operationId } = load.transfer;
    await grpcurl(
      ["-d", JSON.stringify({ operation_id: operationId })],
      "compilecache.v1.CacheService/WatchTransfer",
    );
    const { transfer } = await ask("GetTransfer", { operation_id: operationId });
    assert.equal(transfer.status, "TRANSFER_STATUS_SUCCESS");
    assert.equal(transfer.load.cache.isCurrentEnvironment, true);
    const cancelled = await ask("CancelTransfer", { operation_id: operationId });
    assert.deepEqual(cancelled.transfer, transfer);
    const listed = await ask("ListTransfers", { include_finished: true });
    assert.equal(listed.transfers.length, 2);
    const copy = await ask("StartTransfer", {
      source: `${localDir}/kernel-0.bin`,
      destination: `${dir}/other/copy`,
    });
    assert.equal(copy.transfer.kind, "TRANSFER_KIND_COPY");
    const info = await ask("GetCacheInfo", { environment });
    assert.equal(info.localFileCount, "1");
    assert.equal((await ask("ListCaches", {})).caches.length, 1);
    assert.deepEqual(await ask("DeleteCache", { cache_key: info.cacheKey }), {});
    await assert.rejects(ask("DeleteCache", { cache_key: info.cacheKey }), {
      stderr: /Code: NotFound[\s\S]*"reason": "CACHE_NOT_FOUND"/,
    });
  });
});
