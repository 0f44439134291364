import type { CacheId } from "../domain/cache-id.ts";
import type { Environment } from "../domain/environment.ts";
import type { CacheDescription } from "./cache-catalog.ts";
import type { TransferState } from "./transfer-state.ts";

/** What a load is asked for. `localDir` is the caller's path; empty means the daemon's own. */
export interface LoadSpec {
  readonly namespace: string;
  readonly environment: Environment;
  readonly localDir: string;
  readonly ifLocalExists: "SKIP" | "MERGE" | "REPLACE";
}

/** What a save is asked for. An empty profile means `full`. */
export interface SaveSpec {
  readonly namespace: string;
  readonly environment: Environment;
  readonly localDir: string;
  readonly ifStoredExists: "SKIP" | "REFRESH" | "REPLACE";
  readonly profile: string;
}

/** What a copy is asked for. An empty operation name gets a default. */
export interface CopySpec {
  readonly source: string;
  readonly destination: string;
  readonly operationName: string;
}

/** A running or finished transfer. */
export interface Transfer {
  readonly state: TransferState;
  /**
   * Waits for the end as one of its waiters, and returns the final state whatever it is. When
   * `signal` aborts, stops waiting and throws its reason; the last waiter to leave cancels the
   * transfer.
   */
  wait(signal?: AbortSignal): Promise<TransferState>;
  /** Adds a waiter that never leaves, so that nobody's going away cancels the transfer. */
  detach(): void;
  /** Stops the work and returns the final state, or the present one if it will not stop in 1 s. */
  cancel(): Promise<TransferState>;
  /**
   * The present state at once, then the latest at each change within the limits on rate, the final
   * state last; repeats the state after 15 s without a change. Whoever is slow misses states, not
   * the last. Ends when `signal` aborts.
   */
  watch(signal: AbortSignal): AsyncIterable<TransferState>;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

export interface CacheInfo {
  readonly environmentKey: string;
  readonly cacheKey: string;
  readonly localExists: boolean;
  readonly localBytes: number;
  readonly localFileCount: number;
  readonly stored?: CacheDescription;
  /** Where archives live, as a URL without credentials. */
  readonly store: string;
  /** What there is to know of that store, for people; may be empty. */
  readonly storeNote: string;
}

/**
 * All that the daemon can do, in the domain's words: what the service layer translates to and from
 * the wire. Arguments are validated here; every failure is a CacheError.
 */
export interface CacheCore {
  /** Starts a load, or joins the one that runs for the same target. */
  load(spec: LoadSpec): Transfer;
  /** Starts a save, or joins the one that runs for the same target. */
  save(spec: SaveSpec): Transfer;
  copy(spec: CopySpec): Transfer;
  /** Throws TRANSFER_NOT_FOUND. */
  getTransfer(operationId: string): Transfer;
  /** Newest first. `pageSize` 0 means 100. */
  listTransfers(options: {
    includeFinished: boolean;
    pageSize: number;
    pageToken: string;
  }): Page<TransferState>;
  getCacheInfo(
    spec: { namespace: string; environment: Environment; localDir: string },
    signal: AbortSignal,
  ): Promise<CacheInfo>;
  /** By namespace, then cache key; an empty namespace lists all. `pageSize` 0 means 100. */
  listCaches(
    options: { namespace: string; pageSize: number; pageToken: string },
    signal: AbortSignal,
  ): Promise<Page<CacheDescription>>;
  /** Throws CACHE_NOT_FOUND. */
  deleteCache(id: CacheId, signal: AbortSignal): Promise<void>;
  clearLocalCache(
    localDir: string,
    signal: AbortSignal,
  ): Promise<{ bytes: number; fileCount: number }>;
  /** Accepts no new work, gives what runs `graceMs` to end, then cancels it and waits for that. */
  close(graceMs: number): Promise<void>;
}
