import type { handleUnaryCall } from "@grpc/grpc-js";
import type {
  CacheServiceServer,
  CacheServiceService,
  WatchTransferRequest,
} from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import {
  LoadStatus,
  SaveSkipReason,
  SaveStatus,
} from "compilecache-client/gen/compilecache/v1/transfer.ts";
import type { CacheOperations } from "../operations/cache-operations.ts";
import type { TransferState } from "../transfers/state.ts";
import type { Transfer } from "../transfers/transfer.ts";
import { requireOperationId, toLoadSpec, toSaveSpec } from "./from-wire.ts";
import { toWireCache, toWireLoadOutcome, toWireSaveOutcome, toWireTransfer } from "./to-wire.ts";

/**
 * Answers a request. It may call `announce` once, before it waits for a transfer: the caller is told the
 * operation id at once, and can watch or cancel the transfer while it waits.
 */
export type Answer<Request, Response> = (
  operations: CacheOperations,
  request: Request,
  signal: AbortSignal,
  announce: (operationId: string) => void,
) => Response | Promise<Response>;

/** Answers a request by messages. */
export type Answers<Request, Message> = (
  operations: CacheOperations,
  request: Request,
  signal: AbortSignal,
) => AsyncIterable<Message>;

/** The calls with one answer, by the names of the generated code. */
export type UnaryName = Exclude<keyof CacheServiceService, "watchTransfer">;
type AnswerOf<Name extends UnaryName> =
  CacheServiceServer[Name] extends handleUnaryCall<infer Request, infer Response>
    ? Answer<Request, Response>
    : never;

/** Waits for the end of a transfer, and throws what it failed with. */
async function finished(transfer: Transfer, signal: AbortSignal): Promise<TransferState> {
  const state = await transfer.wait(signal);
  if (state.status === "SUCCESS") return state;
  throw (
    state.error ?? new Error(`transfer ${state.operationId} ended ${state.status} without an error`)
  );
}

/** The outcome of a finished load or save. */
function outcomeOf<K extends "LOAD" | "SAVE">(state: TransferState, kind: K) {
  const { outcome } = state;
  if (outcome?.kind !== kind) throw new Error(`transfer ${state.operationId} has no outcome`);
  return outcome as Extract<typeof outcome, { kind: K }>;
}

/** Each translates its request to an operation and the result back, and does no more. */
export const unaryMethods: { readonly [Name in UnaryName]: AnswerOf<Name> } = {
  load: async (operations, request, signal, announce) => {
    const transfer = await operations.load(toLoadSpec(request), signal);
    announce(transfer.state.operationId);
    if (request.detach) {
      transfer.detach();
      const status = LoadStatus.LOAD_STATUS_IN_PROGRESS;
      return { status, transfer: toWireTransfer(transfer.state) };
    }
    const state = await finished(transfer, signal);
    const { status, closest } = toWireLoadOutcome(outcomeOf(state, "LOAD"), state.cacheKey);
    return { status, closest, transfer: toWireTransfer(state) };
  },

  save: async (operations, request, signal, announce) => {
    const transfer = await operations.save(toSaveSpec(request), signal);
    announce(transfer.state.operationId);
    if (request.detach) {
      transfer.detach();
      const status = SaveStatus.SAVE_STATUS_IN_PROGRESS;
      return {
        status,
        transfer: toWireTransfer(transfer.state),
        leftOutFileCount: 0n,
        leftOut: [],
        skipReason: SaveSkipReason.SAVE_SKIP_REASON_UNSPECIFIED,
      };
    }
    const state = await finished(transfer, signal);
    const outcome = toWireSaveOutcome(outcomeOf(state, "SAVE"), state.cacheKey);
    return { ...outcome, transfer: toWireTransfer(state) };
  },

  startTransfer: async (operations, request, signal) => {
    const { source, destination, operationName, sourceIdentity, destinationIdentity } = request;
    const identities = { sourceIdentity, destinationIdentity };
    const spec = { source, destination, operationName, ...identities };
    const transfer = await operations.copy(spec, signal);
    transfer.detach();
    return { transfer: toWireTransfer(transfer.state) };
  },

  getTransfer: (operations, request) => {
    const transfer = operations.getTransfer(requireOperationId(request.operationId));
    return { transfer: toWireTransfer(transfer.state) };
  },

  listTransfers: (operations, request) => {
    const { includeFinished, pageSize, pageToken } = request;
    const page = operations.listTransfers({ includeFinished, pageSize, pageToken });
    return { transfers: page.items.map(toWireTransfer), nextPageToken: page.nextPageToken };
  },

  cancelTransfer: async (operations, request) => {
    const state = await operations.cancelTransfer(requireOperationId(request.operationId));
    return { transfer: toWireTransfer(state) };
  },

  getCacheInfo: async (operations, request, signal) => {
    const { namespace, environment, localDir, localDirIdentity } = request;
    const spec = { namespace, environment, localDir, localDirIdentity };
    const info = await operations.getCacheInfo(spec, signal);
    return {
      environmentKey: info.environmentKey,
      cacheKey: info.cacheKey,
      localExists: info.localExists,
      localBytes: BigInt(info.localBytes),
      localFileCount: BigInt(info.localFileCount),
      stored: info.stored && toWireCache(info.stored, info.cacheKey),
      store: info.store,
      storeNote: info.storeNote,
    };
  },

  listCaches: async (operations, request, signal) => {
    const { namespace, environment, pageSize, pageToken } = request;
    const spec = { namespace, environment, pageSize, pageToken };
    const page = await operations.listCaches(spec, signal);
    return {
      caches: page.items.map((cache) => toWireCache(cache, page.currentCacheKey)),
      nextPageToken: page.nextPageToken,
    };
  },

  deleteCache: async (operations, request, signal) => {
    const { namespace, cacheKey } = request;
    await operations.deleteCache({ namespace, cacheKey }, signal);
    return {};
  },

  clearLocalCache: async (operations, request, signal) => {
    const { localDir, localDirIdentity } = request;
    const spec = { localDir, localDirIdentity };
    const { bytes, fileCount } = await operations.clearLocalCache(spec, signal);
    return { bytes: BigInt(bytes), fileCount: BigInt(fileCount) };
  },
};

/** The states of a transfer, the present one first. */
export const watchTransfer: Answers<WatchTransferRequest, TransferState> = (
  operations,
  { operationId },
  signal,
) => operations.getTransfer(requireOperationId(operationId)).watch(signal);
