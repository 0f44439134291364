import type {
  Cache as CacheMessage,
  ClosestCache as ClosestCacheMessage,
} from "../gen/compilecache/v1/cache.ts";
import { type Environment, fromEnvironmentMessage } from "./environment.ts";

/** One saved directory: one archive in the store. */
export interface Cache {
  readonly namespace: string;
  /** First 12 hexadecimal digits of the SHA-256 of the environment key. */
  readonly cacheKey: string;
  /** Absent when another tool made the archive, which then does not say. */
  readonly environment?: Environment;
  readonly filename: string;
  /** 0 where the store does not let it be read. */
  readonly archiveBytes: number;
  /** Sum of the sizes of its files. 0 when the archive does not say. */
  readonly contentBytes: number;
  /** 0 when the archive does not say. */
  readonly fileCount: number;
  /** Absent where the store does not let the archive be read. */
  readonly createdAt?: Date;
  /** Whether it is the cache of the environment that the request named. */
  readonly isCurrentEnvironment: boolean;
  /** 1 for a first save, one more for each refresh. 0 when the archive does not say. */
  readonly generation: number;
  /** The key that signed it, as the archive says; absent where nobody did. */
  readonly signedBy?: string;
  /** The name of the daemon that saved it; absent where the archive does not say. */
  readonly saver?: string;
  /** What it was saved from: the digest of an image, or a commit; absent where the archive does not say. */
  readonly revision?: string;
}

/** The stored cache of the same namespace that comes closest to the one asked for. */
export interface ClosestCache {
  readonly cache: Cache;
  /** Names of the components that differ: `torch`, `cuda`, `cc`, `triton`, then labels by name. */
  readonly differing: readonly string[];
}

/** @internal */
export function fromCacheMessage(message: CacheMessage): Cache {
  return {
    namespace: message.namespace,
    cacheKey: message.cacheKey,
    ...(message.environment && { environment: fromEnvironmentMessage(message.environment) }),
    filename: message.filename,
    archiveBytes: Number(message.archiveBytes),
    contentBytes: Number(message.contentBytes),
    fileCount: Number(message.fileCount),
    ...(message.createdAt && { createdAt: message.createdAt }),
    isCurrentEnvironment: message.isCurrentEnvironment,
    generation: Number(message.generation),
    ...(message.signedBy && { signedBy: message.signedBy }),
    ...(message.saver && { saver: message.saver }),
    ...(message.revision && { revision: message.revision }),
  };
}

/**
 * Members for an object that may hold a cache.
 * @internal
 */
export function optionalCache(message: CacheMessage | undefined): { cache?: Cache } {
  return message ? { cache: fromCacheMessage(message) } : {};
}

/**
 * Members for an object that may hold the closest cache.
 * @internal
 */
export function optionalClosest(message: ClosestCacheMessage | undefined): {
  closest?: ClosestCache;
} {
  if (!message?.cache) return {};
  return { closest: { cache: fromCacheMessage(message.cache), differing: message.differing } };
}
