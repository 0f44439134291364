import type { Caller } from "../access/caller.ts";
import type { CacheId } from "../domain/cache-id.ts";
import type { Environment } from "../domain/environment.ts";
import type { StoredCache } from "../domain/stored-cache.ts";
import type { IfLocalExists, IfStoredExists } from "../flows/policies.ts";
import type { Page, PageSpec } from "../transfers/page.ts";
import type { TransferState } from "../transfers/state.ts";
import type { Transfer } from "../transfers/transfer.ts";

// A spec is what a caller says: nothing in it has been judged yet.

/** Where a cache is on this machine: the caller's path, empty for the daemon's own directory. */
export interface LocalDirSpec {
  readonly localDir: string;
  /** What the caller sees at `localDir`: `<device>:<inode>`, empty where it does not say. */
  readonly localDirIdentity: string;
}

/** Which cache, and where it is on this machine. An empty namespace means `default`. */
export interface TargetSpec extends LocalDirSpec {
  readonly namespace: string;
  readonly environment: Environment | undefined;
}

/** What a load is asked for. An unknown policy is undefined. */
export interface LoadSpec extends TargetSpec {
  readonly ifLocalExists: IfLocalExists | undefined;
}

/** What a save is asked for. An unknown policy is undefined; an empty profile means `full`. */
export interface SaveSpec extends TargetSpec {
  readonly ifStoredExists: IfStoredExists | undefined;
  readonly profile: string;
}

/** What a copy is asked for. An empty operation name gets a default. */
export interface CopySpec {
  readonly source: string;
  readonly destination: string;
  /** What the caller sees there, as `localDirIdentity` is. */
  readonly sourceIdentity: string;
  /** That of the deepest directory that exists, where nothing is there yet. */
  readonly destinationIdentity: string;
  readonly operationName: string;
}

/** Which caches are to be listed. An empty namespace means all. */
export interface ListCachesSpec extends PageSpec {
  readonly namespace: string;
  /** The environment whose cache is the current one. */
  readonly environment: Environment | undefined;
}

export interface CachePage extends Page<StoredCache> {
  /** The cache key of the environment that was named. */
  readonly currentCacheKey: string | undefined;
}

export interface CacheInfo {
  readonly environmentKey: string;
  readonly cacheKey: string;
  readonly localExists: boolean;
  readonly localBytes: number;
  readonly localFileCount: number;
  readonly stored?: StoredCache;
  /** Where archives live, as a URL without credentials. */
  readonly store: string;
  /** What people should know of that store, such as missing hard links; empty if nothing. */
  readonly storeNote: string;
}

/** What the daemon does for all its callers. */
export interface SharedOperations {
  /** All that a caller may do. */
  as(caller: Caller): CacheOperations;
  /** Whether a transfer runs or waits. */
  isWorking(): boolean;
  /** Has the first calls find ready what takes a while to start. Does not wait. */
  warmUp(): void;
  /** Accepts no new work, gives what runs `graceMs` to end, then cancels it and waits for that. */
  close(graceMs: number): Promise<void>;
}

/**
 * All that the daemon can do for one caller, in the domain's words: what the service layer translates
 * to and from the wire. Rights are judged here, then arguments, all of them before a call fails for
 * one; every failure is a CacheError.
 */
export interface CacheOperations {
  /** Starts a load, or joins the one that runs for the same target. */
  load(spec: LoadSpec, signal: AbortSignal): Transfer | Promise<Transfer>;
  /** Starts a save, or joins the one that runs for the same target. */
  save(spec: SaveSpec, signal: AbortSignal): Transfer | Promise<Transfer>;
  copy(spec: CopySpec, signal: AbortSignal): Transfer | Promise<Transfer>;
  /**
   * For everybody who was told its id, which cannot be guessed. Throws TRANSFER_NOT_FOUND.
   */
  getTransfer(operationId: string): Transfer;
  /** Resolves with its last state. Throws TRANSFER_NOT_FOUND, and FORBIDDEN for what no rule is about. */
  cancelTransfer(operationId: string): Promise<TransferState>;
  /** Newest first, those that the caller's rules are about. */
  listTransfers(spec: PageSpec & { readonly includeFinished: boolean }): Page<TransferState>;
  getCacheInfo(spec: TargetSpec, signal: AbortSignal): Promise<CacheInfo>;
  /** By namespace, then cache key. */
  listCaches(spec: ListCachesSpec, signal: AbortSignal): Promise<CachePage>;
  /** Throws CACHE_NOT_FOUND. */
  deleteCache(id: CacheId, signal: AbortSignal): Promise<void>;
  clearLocalCache(
    spec: LocalDirSpec,
    signal: AbortSignal,
  ): Promise<{ bytes: number; fileCount: number }>;
}
