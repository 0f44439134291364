import {
  CancelTransferRequest,
  CancelTransferResponse,
  ClearLocalCacheRequest,
  ClearLocalCacheResponse,
  DeleteCacheRequest,
  DeleteCacheResponse,
  GetCacheInfoRequest,
  GetCacheInfoResponse,
  GetTransferRequest,
  GetTransferResponse,
  ListCachesRequest,
  ListCachesResponse,
  ListTransfersRequest,
  ListTransfersResponse,
  LoadRequest,
  LoadResponse,
  type MessageFns,
  SaveRequest,
  SaveResponse,
  StartTransferRequest,
  StartTransferResponse,
  WatchTransferRequest,
} from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import { Transfer } from "compilecache-client/gen/compilecache/v1/transfer.ts";
import { invalidField } from "../../domain/cache-error.ts";
import type { TransferState } from "../../transfers/state.ts";
import { type Answer, type UnaryName, unaryMethods } from "../cache-methods.ts";
import { toWireTransfer } from "../to-wire.ts";
import { statusJson } from "./connect-error.ts";

/** A call with one answer, whose request and answer are JSON. */
export interface JsonMethod {
  /** Throws INVALID_REQUEST. */
  readonly readRequest: (body: Buffer) => unknown;
  readonly answer: Answer<unknown, unknown>;
  readonly writeAnswer: (answer: unknown) => string;
}

type WithTransfers = { readonly transfer?: Transfer; readonly transfers?: readonly Transfer[] };

/** The JSON form of the contract, for each call with one answer. */
export const jsonMethods: { readonly [Name in UnaryName]: JsonMethod } = {
  load: jsonMethod("load", LoadRequest, LoadResponse),
  save: jsonMethod("save", SaveRequest, SaveResponse),
  startTransfer: jsonMethod("startTransfer", StartTransferRequest, StartTransferResponse),
  getTransfer: jsonMethod("getTransfer", GetTransferRequest, GetTransferResponse),
  listTransfers: jsonMethod("listTransfers", ListTransfersRequest, ListTransfersResponse),
  cancelTransfer: jsonMethod("cancelTransfer", CancelTransferRequest, CancelTransferResponse),
  getCacheInfo: jsonMethod("getCacheInfo", GetCacheInfoRequest, GetCacheInfoResponse),
  listCaches: jsonMethod("listCaches", ListCachesRequest, ListCachesResponse),
  deleteCache: jsonMethod("deleteCache", DeleteCacheRequest, DeleteCacheResponse),
  clearLocalCache: jsonMethod("clearLocalCache", ClearLocalCacheRequest, ClearLocalCacheResponse),
};

/** The transfer that a request asks to follow. Throws INVALID_REQUEST. */
export function readWatchRequest(body: Buffer): WatchTransferRequest {
  return readRequest(body, WatchTransferRequest);
}

const writtenStates = new WeakMap<TransferState, Buffer>();

/** A state as a WatchTransferResponse, written once for all its watchers. */
export function writeState(state: TransferState): Buffer {
  const known = writtenStates.get(state);
  if (known) return known;
  const written = Buffer.from(JSON.stringify({ transfer: transferJson(toWireTransfer(state)) }));
  writtenStates.set(state, written);
  return written;
}

function jsonMethod<Request, Response>(
  name: UnaryName,
  request: MessageFns<Request>,
  response: MessageFns<Response>,
): JsonMethod {
  return {
    readRequest: (body) => readRequest(body, request),
    answer: unaryMethods[name] as Answer<unknown, unknown>,
    writeAnswer(answer) {
      const { transfer, transfers } = answer as WithTransfers;
      return JSON.stringify({
        ...(response.toJSON(answer as Response) as object),
        ...(transfer ? { transfer: transferJson(transfer) } : {}),
        ...(transfers ? { transfers: transfers.map(transferJson) } : {}),
      });
    },
  };
}

function transferJson(transfer: Transfer): object {
  const json = Transfer.toJSON(transfer) as object;
  return transfer.error ? { ...json, error: statusJson(transfer.error) } : json;
}

/**
 * A request of what its JSON says. Through its binary form, which holds values of the contract's types and
 * no others: the generated code takes any JSON.
 */
function readRequest<Request>(body: Buffer, type: MessageFns<Request>): Request {
  try {
    const found: unknown = body.length === 0 ? {} : JSON.parse(body.toString());
    if (found === null || typeof found !== "object" || Array.isArray(found))
      throw new TypeError("it is no object");
    return type.decode(type.encode(type.fromJSON(found)).finish());
  } catch (error) {
    throw invalidField("request", `is no message of the contract: ${(error as Error).message}`);
  }
}
