import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "node:test";
import { type status as codes, Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import {
  type CacheServiceServer,
  CacheServiceService,
} from "../../../clients/typescript/gen/compilecache/v1/cache_service.ts";
import {
  Transfer,
  TransferKind,
  TransferPhase,
  TransferStatus,
} from "../../../clients/typescript/gen/compilecache/v1/transfer.ts";
import { ErrorInfo } from "../../../clients/typescript/gen/google/rpc/error_details.ts";
import { Status } from "../../../clients/typescript/gen/google/rpc/status.ts";
import {
  type CacheClientOptions,
  CacheServiceError,
  createCacheClient,
} from "../../../clients/typescript/src/index.ts";
import { wholly } from "../wholly.ts";

// A real daemon cannot be made to give every answer that the contract allows, so these tests script
// the service. The tests against a real daemon are in test/suites/client.

const cleanups: (() => void)[] = [];

// Each file of tests is a process of its own.
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "compilecache-client-"));
  cleanups.push(() => rmSync(directory, wholly));
  return directory;
}

/** A client of a service that answers what `script` says. Both end with the test. */
export async function connect(
  script: Partial<CacheServiceServer>,
  options: CacheClientOptions = {},
) {
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

export function richError(code: codes, message: string, details: Status["details"]) {
  const metadata = new Metadata();
  const status = Status.encode({ code, message, details }).finish();
  metadata.set("grpc-status-details-bin", Buffer.from(status));
  return { code, details: message, metadata };
}

export function errorInfo(reason: string) {
  return {
    typeUrl: "type.googleapis.com/google.rpc.ErrorInfo",
    value: Buffer.from(ErrorInfo.encode({ reason, domain: "compilecache", metadata: {} }).finish()),
  };
}

/** The error that a call must fail with. */
export async function failureOf(promise: Promise<unknown>): Promise<CacheServiceError> {
  const error = await promise.then(
    () => assert.fail("the call succeeded"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CacheServiceError, `not a CacheServiceError: ${error}`);
  return error;
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

export const runningTransfer = Transfer.fromPartial({
  operationId: "op1",
  kind: TransferKind.TRANSFER_KIND_LOAD,
  status: TransferStatus.TRANSFER_STATUS_IN_PROGRESS,
  phase: TransferPhase.TRANSFER_PHASE_UNPACKING,
  startedAt: new Date(1000),
  bytesDone: 5n,
  bytesTotal: 5_000_000_000n,
});

export const environment = { torchVersion: "2.11.0" };
