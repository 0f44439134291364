import { CacheServiceService as methods } from "../gen/compilecache/v1/cache_service.ts";
import { fromCacheMessage, optionalCache, optionalClosest } from "./cache.ts";
import type { CacheClient } from "./cache-client.ts";
import { CacheServiceError, clientIsClosed } from "./cache-service-error.ts";
import { type Connection, createConnection } from "./connection.ts";
import { toEnvironmentMessage } from "./environment.ts";
import { toIfLocalExists, toIfStoredExists } from "./requests.ts";
import { requireCall, requireClientOptions, requireOperation } from "./require-call.ts";
import {
  type CacheClientOptions,
  type ResolvedClientOptions,
  resolveClientOptions,
} from "./settings/client-options.ts";
import { callAsSeen, identityOf, isOfThisMachine } from "./settings/identity.ts";
import { createLocalDirectory, resolveLocalDirectory } from "./settings/local-directory.ts";
import {
  fromLeftOut,
  fromTransferMessage,
  loadStatuses,
  optionalSkipReason,
  saveStatuses,
} from "./transfer.ts";

const noDeadline = Number.POSITIVE_INFINITY;
const shortCallMs = 30_000;

/** A connection, and what it was made by. */
interface Connected {
  readonly resolved: ResolvedClientOptions;
  readonly connection: Connection;
  /** A daemon of another machine numbers the file systems that it shares with this one otherwise. */
  readonly isNear: boolean;
}

function connectTo(resolved: ResolvedClientOptions): Connected {
  const connection = createConnection(resolved);
  return { resolved, connection, isNear: isOfThisMachine(resolved.address) };
}

/** Whether a call ended because its caller wanted no more of it. */
function isGivenUp(error: unknown): boolean {
  return (
    error instanceof CacheServiceError && ["CANCELLED", "DEADLINE_EXCEEDED"].includes(error.code)
  );
}

/**
 * A client of the daemon at `address`. It finds its daemon and connects with its first call; `close` it after use. Throws
 * INVALID_REQUEST for an address, a token or a deadline that cannot be one.
 */
export function createCacheClient(options: CacheClientOptions = {}): CacheClient {
  requireClientOptions(options);
  resolveClientOptions(options);
  // By then there may be a daemon, or a variable that names it, that is not there yet.
  let connected: Connected | undefined;
  let isClosed = false;
  const connect = (): Connected => {
    if (isClosed) throw clientIsClosed();
    connected ??= connectTo(resolveClientOptions(options));
    return connected;
  };
  const unary: Connection["unary"] = (...call) => connect().connection.unary(...call);
  const lookAt = (localDir: string) => async () => ({
    localDirIdentity: connect().isNear ? await identityOf(localDir) : "",
  });

  const client: CacheClient = {
    get address() {
      return (connected?.resolved ?? resolveClientOptions(options)).address;
    },

    async load(input, call = {}) {
      requireCall("load", input, call);
      const { resolved } = connect();
      const localDir = resolveLocalDirectory(input.localDir);
      const request = {
        namespace: input.namespace ?? resolved.namespace,
        environment: toEnvironmentMessage(input.environment),
        localDir,
        detach: input.detach ?? false,
        ifLocalExists: toIfLocalExists(input.ifLocalExists),
      };
      const created = await createLocalDirectory(localDir);
      const response = await callAsSeen(lookAt(localDir), (seen) =>
        unary(methods.load, { ...request, ...seen }, call, noDeadline),
      ).catch(async (error: unknown) => {
        // Others may go on to wait for a load that this call gave up.
        if (!isGivenUp(error)) await created.removeIfEmpty();
        throw error;
      });
      const status = loadStatuses.wordOf(response.status);
      if (status === "does_not_exist") await created.removeIfEmpty();
      return {
        status,
        transfer: fromTransferMessage(response.transfer),
        ...optionalClosest(response.closest),
      };
    },

    async save(input, call = {}) {
      requireCall("save", input, call);
      const request = {
        namespace: input.namespace ?? connect().resolved.namespace,
        environment: toEnvironmentMessage(input.environment),
        localDir: resolveLocalDirectory(input.localDir),
        detach: input.detach ?? false,
        ifStoredExists: toIfStoredExists(input.ifStoredExists),
        profile: input.profile ?? "",
      };
      const response = await callAsSeen(lookAt(request.localDir), (seen) =>
        unary(methods.save, { ...request, ...seen }, call, noDeadline),
      );
      return {
        status: saveStatuses.wordOf(response.status),
        ...optionalSkipReason(response.skipReason),
        transfer: fromTransferMessage(response.transfer),
        ...optionalCache(response.cache),
        leftOutFileCount: Number(response.leftOutFileCount),
        leftOut: fromLeftOut(response.leftOut),
      };
    },

    async *watch(operationId, call = {}) {
      requireOperation(operationId, call);
      const states = connect().connection.serverStream(
        methods.watchTransfer,
        { operationId },
        call,
      );
      for await (const { transfer } of states) yield fromTransferMessage(transfer);
    },

    async startTransfer(input, call = {}) {
      requireCall("startTransfer", input, call);
      const request = {
        source: input.source,
        destination: input.destination,
        operationName: input.operationName ?? "",
      };
      const look = async () => ({
        // The store need not be mounted here.
        sourceIdentity: connect().isNear ? await identityOf(input.source, { orUnsaid: true }) : "",
        destinationIdentity: connect().isNear
          ? await identityOf(input.destination, { orAbove: true })
          : "",
      });
      const response = await callAsSeen(look, (seen) =>
        unary(methods.startTransfer, { ...request, ...seen }, call, shortCallMs),
      );
      return fromTransferMessage(response.transfer);
    },

    async getTransfer(operationId, call = {}) {
      requireOperation(operationId, call);
      const request = { operationId };
      const response = await unary(methods.getTransfer, request, call, shortCallMs);
      return fromTransferMessage(response.transfer);
    },

    async listTransfers(input = {}, call = {}) {
      requireCall("listTransfers", input, call);
      const request = {
        includeFinished: input.includeFinished ?? false,
        pageSize: input.pageSize ?? 0,
        pageToken: input.pageToken ?? "",
      };
      const page = await unary(methods.listTransfers, request, call, shortCallMs);
      return {
        transfers: page.transfers.map(fromTransferMessage),
        nextPageToken: page.nextPageToken,
      };
    },

    async *allTransfers(input = {}, call = {}) {
      let pageToken = "";
      do {
        const page = await client.listTransfers({ ...input, pageToken }, call);
        yield* page.transfers;
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
    },

    async cancelTransfer(operationId, call = {}) {
      requireOperation(operationId, call);
      const request = { operationId };
      const response = await unary(methods.cancelTransfer, request, call, shortCallMs);
      return fromTransferMessage(response.transfer);
    },

    async getCacheInfo(input, call = {}) {
      requireCall("getCacheInfo", input, call);
      const request = {
        namespace: input.namespace ?? connect().resolved.namespace,
        environment: toEnvironmentMessage(input.environment),
        localDir: resolveLocalDirectory(input.localDir),
      };
      const info = await callAsSeen(lookAt(request.localDir), (seen) =>
        unary(methods.getCacheInfo, { ...request, ...seen }, call, shortCallMs),
      );
      return {
        environmentKey: info.environmentKey,
        cacheKey: info.cacheKey,
        localExists: info.localExists,
        localBytes: Number(info.localBytes),
        localFileCount: Number(info.localFileCount),
        ...(info.stored && { stored: fromCacheMessage(info.stored) }),
        store: info.store,
        storeNote: info.storeNote,
      };
    },

    async listCaches(input = {}, call = {}) {
      requireCall("listCaches", input, call);
      const request = {
        namespace: input.namespace ?? "",
        environment: input.environment ? toEnvironmentMessage(input.environment) : undefined,
        pageSize: input.pageSize ?? 0,
        pageToken: input.pageToken ?? "",
      };
      const page = await unary(methods.listCaches, request, call, shortCallMs);
      return { caches: page.caches.map(fromCacheMessage), nextPageToken: page.nextPageToken };
    },

    async *allCaches(input = {}, call = {}) {
      let pageToken = "";
      do {
        const page = await client.listCaches({ ...input, pageToken }, call);
        yield* page.caches;
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
    },

    async deleteCache(input, call = {}) {
      requireCall("deleteCache", input, call);
      const request = {
        namespace: input.namespace ?? connect().resolved.namespace,
        cacheKey: input.cacheKey,
      };
      await unary(methods.deleteCache, request, call, shortCallMs);
    },

    async clearLocalCache(input = {}, call = {}) {
      requireCall("clearLocalCache", input, call);
      const localDir = resolveLocalDirectory(input.localDir);
      const cleared = await callAsSeen(lookAt(localDir), (seen) =>
        unary(methods.clearLocalCache, { localDir, ...seen }, call, shortCallMs),
      );
      return { bytes: Number(cleared.bytes), fileCount: Number(cleared.fileCount) };
    },

    close() {
      isClosed = true;
      connected?.connection.close();
    },
  };
  return client;
}
