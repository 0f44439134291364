import type { Environment } from "./environment.ts";
import type { Origin } from "./origin.ts";

/** One stored cache, as far as its archive tells. */
export interface StoredCache {
  readonly namespace: string;
  readonly cacheKey: string;
  /** Absent when another tool made the archive. */
  readonly environment?: Environment;
  readonly filename: string;
  readonly archiveBytes: number;
  /** 0 when the archive does not say. */
  readonly contentBytes: number;
  /** 0 when the archive does not say. */
  readonly fileCount: number;
  /** Undefined where the store does not let the archive be read. */
  readonly createdAt: Date | undefined;
  /** 0 when the archive does not say. */
  readonly generation: number;
  /** The key that signed it, as the archive says; absent where nobody did. */
  readonly signedBy?: string;
  /** Who saved it, as the archive says. */
  readonly origin?: Origin;
}

/** The stored cache that differs least from an environment, and in which components. */
export interface ClosestCache {
  readonly cache: StoredCache;
  readonly differing: readonly string[];
}
