import {
  IfLocalExists as IfLocalExistsEnum,
  IfStoredExists as IfStoredExistsEnum,
} from "../gen/compilecache/v1/cache_service.ts";
import type { Cache, ClosestCache } from "./cache.ts";
import { invalidRequest } from "./cache-service-error.ts";
import { createEnumWords, type EnumWords } from "./enum-words.ts";
import type { Environment } from "./environment.ts";
import type { LeftOutFiles, LoadStatus, SaveSkipReason, SaveStatus, Transfer } from "./transfer.ts";

const ifLocalExistsWords = createEnumWords(IfLocalExistsEnum, "IF_LOCAL_EXISTS");
const ifStoredExistsWords = createEnumWords(IfStoredExistsEnum, "IF_STORED_EXISTS");

/**
 * What a load does with a directory that holds files: leave it ("skip", the default), add what is
 * missing ("merge"), or make it hold exactly the cache ("replace").
 */
export type IfLocalExists = (typeof ifLocalExistsWords.words)[number];
/**
 * What a save does when the store holds the cache already: leave it ("skip", the default), add what
 * is new ("refresh"), or replace it whole ("replace").
 */
export type IfStoredExists = (typeof ifStoredExistsWords.words)[number];

/** The policies' words, in the order of the contract. */
export const ifLocalExistsPolicies = ifLocalExistsWords.words;
export const ifStoredExistsPolicies = ifStoredExistsWords.words;

interface CacheTarget {
  /** Default: the client's. */
  readonly namespace?: string | undefined;
  readonly environment: Environment;
  /** Default: where torch keeps its cache in this process. Relative to the working directory. */
  readonly localDir?: string | undefined;
}

export interface LoadInput extends CacheTarget {
  /** Return at once. The load goes on, even when this client disconnects. */
  readonly detach?: boolean | undefined;
  readonly ifLocalExists?: IfLocalExists | undefined;
}

export interface LoadResult {
  /** "in_progress" for a detached load. */
  readonly status: LoadStatus;
  readonly transfer: Transfer;
  /** With "does_not_exist": the stored cache that comes closest, where there is one. */
  readonly closest?: ClosestCache;
}

export interface SaveInput extends CacheTarget {
  /** Return at once. The save goes on, even when this client disconnects. */
  readonly detach?: boolean | undefined;
  readonly ifStoredExists?: IfStoredExists | undefined;
  /** Which files travel. Default: `full`, all but locks and temporary files. */
  readonly profile?: string | undefined;
}

export interface SaveResult {
  /** "in_progress" for a detached save. */
  readonly status: SaveStatus;
  readonly transfer: Transfer;
  /** With "skipped": why, where the daemon says so. */
  readonly skipReason?: SaveSkipReason;
  /**
   * The cache that the store now holds. Absent when it holds none, when the directory had nothing to
   * save, and for a detached save.
   */
  readonly cache?: Cache;
  /** Files left out because they changed, vanished or were still being written. */
  readonly leftOutFileCount: number;
  /** All that was left out, by reason; a reason without files is absent. */
  readonly leftOut: readonly LeftOutFiles[];
}

export interface StartTransferInput {
  readonly source: string;
  readonly destination: string;
  /** Default: `copy`, and the last part of the source's path. */
  readonly operationName?: string | undefined;
}

export interface PageInput {
  /** 1 to 1,000. Default: 100. */
  readonly pageSize?: number | undefined;
  /** `nextPageToken` of the page before. Default: the first page. */
  readonly pageToken?: string | undefined;
}

export interface ListTransfersInput {
  readonly includeFinished?: boolean | undefined;
}

export interface TransferPage {
  /** Newest first. */
  readonly transfers: readonly Transfer[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

export interface ListCachesInput {
  /** Default: all namespaces, also where the client has one. */
  readonly namespace?: string | undefined;
  /** Marks this environment's cache as the current one. */
  readonly environment?: Environment | undefined;
}

export interface CachePage {
  /** By namespace, then cache key. */
  readonly caches: readonly Cache[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

export type CacheInfoInput = CacheTarget;

export interface CacheInfo {
  readonly environmentKey: string;
  readonly cacheKey: string;
  /** Whether the local directory holds a file that a save would take. */
  readonly localExists: boolean;
  readonly localBytes: number;
  readonly localFileCount: number;
  /** The stored cache. Absent when the store holds none. */
  readonly stored?: Cache;
  /** Where archives live, as a URL without credentials. */
  readonly store: string;
  /** A remark about that store for people, such as what it lacks; may be empty. */
  readonly storeNote: string;
}

export interface DeleteCacheInput {
  /** Default: the client's. */
  readonly namespace?: string | undefined;
  readonly cacheKey: string;
}

export interface ClearLocalCacheInput {
  /** Default: where torch keeps its cache in this process. */
  readonly localDir?: string | undefined;
}

export interface ClearedLocalCache {
  readonly bytes: number;
  readonly fileCount: number;
}

/**
 * Throws INVALID_REQUEST for a word that is no policy.
 * @internal
 */
export function toIfLocalExists(word: IfLocalExists | undefined): IfLocalExistsEnum {
  return toPolicy(ifLocalExistsWords, word, "ifLocalExists");
}

/**
 * Throws INVALID_REQUEST for a word that is no policy.
 * @internal
 */
export function toIfStoredExists(word: IfStoredExists | undefined): IfStoredExistsEnum {
  return toPolicy(ifStoredExistsWords, word, "ifStoredExists");
}

function toPolicy<Word extends string, Value extends number>(
  words: EnumWords<Word, Value>,
  word: Word | undefined,
  field: string,
): Value | 0 {
  if (word === undefined || word === null) return 0;
  const value = words.valueOf(word);
  if (value === undefined)
    throw invalidRequest(field, `${JSON.stringify(word)} is none of ${words.words.join(", ")}`);
  return value;
}
