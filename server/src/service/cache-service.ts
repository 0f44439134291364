import type { handleServerStreamingCall } from "@grpc/grpc-js";
import {
  type CacheServiceServer,
  CacheServiceService,
  type WatchTransferRequest,
  WatchTransferResponse,
} from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import type { TransferState } from "../transfers/state.ts";
import { type UnaryName, unaryMethods, watchTransfer } from "./cache-methods.ts";
import type { Calls } from "./calls.ts";
import { toWireTransfer } from "./to-wire.ts";

const encodedStates = new WeakMap<TransferState, Buffer>();

/** A state as a WatchTransferResponse, encoded once for all its watchers. */
function encodeState(state: TransferState): Buffer {
  const known = encodedStates.get(state);
  if (known) return known;
  const response = WatchTransferResponse.encode({ transfer: toWireTransfer(state) });
  const encoded = Buffer.from(response.finish());
  encodedStates.set(state, encoded);
  return encoded;
}

/** The service as grpc-js takes it; watchers are sent TransferStates. */
export const cacheServiceDefinition = {
  ...CacheServiceService,
  watchTransfer: { ...CacheServiceService.watchTransfer, responseSerialize: encodeState },
};

type CacheServiceHandlers = Pick<CacheServiceServer, UnaryName> & {
  watchTransfer: handleServerStreamingCall<WatchTransferRequest, TransferState>;
};

/** The handlers of all calls. */
export function createCacheService({ unary, serverStream }: Calls): CacheServiceHandlers {
  return {
    load: unary("Load", unaryMethods.load),
    save: unary("Save", unaryMethods.save),
    startTransfer: unary("StartTransfer", unaryMethods.startTransfer),
    getTransfer: unary("GetTransfer", unaryMethods.getTransfer),
    listTransfers: unary("ListTransfers", unaryMethods.listTransfers),
    cancelTransfer: unary("CancelTransfer", unaryMethods.cancelTransfer),
    getCacheInfo: unary("GetCacheInfo", unaryMethods.getCacheInfo),
    listCaches: unary("ListCaches", unaryMethods.listCaches),
    deleteCache: unary("DeleteCache", unaryMethods.deleteCache),
    clearLocalCache: unary("ClearLocalCache", unaryMethods.clearLocalCache),
    watchTransfer: serverStream("WatchTransfer", watchTransfer),
  };
}
