import { CacheServiceService as methods } from "../gen/compilecache/v1/cache_service.ts";
import { fromCacheMessage, optionalCache, optionalClosest } from "./cache.ts";
import type { CacheClient } from "./cache-client.ts";
import { createConnection } from "./connection.ts";
import { toEnvironmentMessage } from "./environment.ts";
import { toIfLocalExists, toIfStoredExists } from "./requests.ts";
import { type CacheClientOptions, resolveClientOptions } from "./settings/client-options.ts";
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

/**
 * A client of the daemon at `address`. It connects with its first call; `close` it after use. Throws
 * INVALID_REQUEST for an address or a token that cannot be one.
 */
export function createCacheClient(options: CacheClientOptions = {}): CacheClient {
  const resolved = resolveClientOptions(options);
  const connection = createConnection(resolved);
  // A daemon of another machine numbers the file systems that it shares with this one otherwise.
  const isNear = isOfThisMachine(resolved.address);
  const lookAt = (localDir: string) => async () => ({
    localDirIdentity: isNear ? await identityOf(localDir) : "",
  });

  const client: CacheClient = {
    address: resolved.address,

    async load(input, call = {}) {
      const localDir = resolveLocalDirectory(input.localDir);
      const request = {
        namespace: input.namespace ?? resolved.namespace,
        environment: toEnvironmentMessage(input.environment),
        localDir,
        detach: input.detach ?? false,
        ifLocalExists: toIfLocalExists(input.ifLocalExists),
      };
      await createLocalDirectory(localDir);
      const response = await callAsSeen(lookAt(localDir), (seen) =>
        connection.unary(methods.load, { ...request, ...seen }, call, noDeadline),
      );
      return {
        status: loadStatuses.wordOf(response.status),
        transfer: fromTransferMessage(response.transfer),
        ...optionalClosest(response.closest),
      };
    },

    async save(input, call = {}) {
      const request = {
        namespace: input.namespace ?? resolved.namespace,
        environment: toEnvironmentMessage(input.environment),
        localDir: resolveLocalDirectory(input.localDir),
        detach: input.detach ?? false,
        ifStoredExists: toIfStoredExists(input.ifStoredExists),
        profile: input.profile ?? "",
      };
      const response = await callAsSeen(lookAt(request.localDir), (seen) =>
        connection.unary(methods.save, { ...request, ...seen }, call, noDeadline),
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
      const states = connection.serverStream(methods.watchTransfer, { operationId }, call);
      for await (const { transfer } of states) yield fromTransferMessage(transfer);
    },

    async startTransfer(input, call = {}) {
      const request = {
        source: input.source,
        destination: input.destination,
        operationName: input.operationName ?? "",
      };
      const look = async () => ({
        // The store need not be mounted here.
        sourceIdentity: isNear ? await identityOf(input.source, { orUnsaid: true }) : "",
        destinationIdentity: isNear ? await identityOf(input.destination, { orAbove: true }) : "",
      });
      const response = await callAsSeen(look, (seen) =>
        connection.unary(methods.startTransfer, { ...request, ...seen }, call, shortCallMs),
      );
      return fromTransferMessage(response.transfer);
    },

    async getTransfer(operationId, call = {}) {
      const request = { operationId };
      const response = await connection.unary(methods.getTransfer, request, call, shortCallMs);
      return fromTransferMessage(response.transfer);
    },

    async listTransfers(input = {}, call = {}) {
      const request = {
        includeFinished: input.includeFinished ?? false,
        pageSize: input.pageSize ?? 0,
        pageToken: input.pageToken ?? "",
      };
      const page = await connection.unary(methods.listTransfers, request, call, shortCallMs);
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
      const request = { operationId };
      const response = await connection.unary(methods.cancelTransfer, request, call, shortCallMs);
      return fromTransferMessage(response.transfer);
    },

    async getCacheInfo(input, call = {}) {
      const request = {
        namespace: input.namespace ?? resolved.namespace,
        environment: toEnvironmentMessage(input.environment),
        localDir: resolveLocalDirectory(input.localDir),
      };
      const info = await callAsSeen(lookAt(request.localDir), (seen) =>
        connection.unary(methods.getCacheInfo, { ...request, ...seen }, call, shortCallMs),
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
      const request = {
        namespace: input.namespace ?? "",
        environment: input.environment && toEnvironmentMessage(input.environment),
        pageSize: input.pageSize ?? 0,
        pageToken: input.pageToken ?? "",
      };
      const page = await connection.unary(methods.listCaches, request, call, shortCallMs);
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
      const request = {
        namespace: input.namespace ?? resolved.namespace,
        cacheKey: input.cacheKey,
      };
      await connection.unary(methods.deleteCache, request, call, shortCallMs);
    },

    async clearLocalCache(input = {}, call = {}) {
      const localDir = resolveLocalDirectory(input.localDir);
      const cleared = await callAsSeen(lookAt(localDir), (seen) =>
        connection.unary(methods.clearLocalCache, { localDir, ...seen }, call, shortCallMs),
      );
      return { bytes: Number(cleared.bytes), fileCount: Number(cleared.fileCount) };
    },

    close: () => connection.close(),
  };
  return client;
}
