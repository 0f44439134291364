import type { Cache } from "./cache.ts";
import type {
  CacheInfo,
  CacheInfoInput,
  CachePage,
  ClearedLocalCache,
  ClearLocalCacheInput,
  DeleteCacheInput,
  ListCachesInput,
  ListTransfersInput,
  LoadInput,
  LoadResult,
  PageInput,
  SaveInput,
  SaveResult,
  StartTransferInput,
  TransferPage,
} from "./requests.ts";
import type { CallOptions, TransferCallOptions } from "./settings/client-options.ts";
import type { Transfer } from "./transfer.ts";

/** Calls to one daemon. Each ends in its result or in a CacheServiceError. */
export interface CacheClient {
  /** Where the daemon is expected. */
  readonly address: string;
  /**
   * Puts a stored cache into a local directory, which it creates. A miss and a skip are results,
   * not errors.
   */
  load(input: LoadInput, options?: TransferCallOptions): Promise<LoadResult>;
  /** Puts a local directory into the store. A skip is a result, not an error. */
  save(input: SaveInput, options?: TransferCallOptions): Promise<SaveResult>;
  /**
   * The present state of a transfer, then its changes, the final state last. Leaving the loop ends
   * the call and not the transfer. Fails with TRANSFER_NOT_FOUND.
   */
  watch(operationId: string, options?: CallOptions): AsyncGenerator<Transfer, void, void>;
  /** Starts to copy a file or directory between allowed places. */
  startTransfer(input: StartTransferInput, options?: CallOptions): Promise<Transfer>;
  /** Fails with TRANSFER_NOT_FOUND. */
  getTransfer(operationId: string, options?: CallOptions): Promise<Transfer>;
  /** One page of transfers. */
  listTransfers(
    input?: ListTransfersInput & PageInput,
    options?: CallOptions,
  ): Promise<TransferPage>;
  /** All transfers, page by page. */
  allTransfers(
    input?: ListTransfersInput,
    options?: CallOptions,
  ): AsyncGenerator<Transfer, void, void>;
  /** Stops a transfer and returns its last state. Fails with TRANSFER_NOT_FOUND. */
  cancelTransfer(operationId: string, options?: CallOptions): Promise<Transfer>;
  /** What one environment has, here and in the store. */
  getCacheInfo(input: CacheInfoInput, options?: CallOptions): Promise<CacheInfo>;
  /** One page of the caches in the store. */
  listCaches(input?: ListCachesInput & PageInput, options?: CallOptions): Promise<CachePage>;
  /** All caches in the store, page by page. */
  allCaches(input?: ListCachesInput, options?: CallOptions): AsyncGenerator<Cache, void, void>;
  /** Removes one cache from the store. Fails with CACHE_NOT_FOUND. */
  deleteCache(input: DeleteCacheInput, options?: CallOptions): Promise<void>;
  /** Empties a local directory; the directory itself stays. */
  clearLocalCache(input?: ClearLocalCacheInput, options?: CallOptions): Promise<ClearedLocalCache>;
  /** Accepts no further calls: these fail with FAILED_PRECONDITION. Those that run go on to their end. */
  close(): void;
}
