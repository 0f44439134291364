import { join } from "node:path";
import { emptyDirectory } from "../scratch.ts";
import { prepareCache, type SourceCache, sizeOfCache } from "../source-cache.ts";
import type { SuiteContext } from "../suite.ts";

/** The directories of a suite that measures with one cache. */
export interface Workspace {
  /** Holds all others; daemons have their sockets and stores here. */
  readonly dir: string;
  /** The kind of file system that it is on, as text to show. */
  readonly kind: string;
  readonly source: SourceCache;
  /** The parent of `out`, empty at first. */
  readonly outside: string;
  /** The path, absent at first, that loads and copies write to. */
  readonly out: string;
  /** What a daemon must be allowed to read and write. */
  readonly allowedDirs: readonly string[];
}

/** Prepares the suite's cache in a directory with room for `roomPerCacheByte` times its size. */
export function createWorkspace(
  { cache, scratch }: SuiteContext,
  roomPerCacheByte: number,
): Workspace {
  const { dir, kind } = scratch(sizeOfCache(cache) * roomPerCacheByte);
  const source = prepareCache(dir, cache);
  const outside = emptyDirectory(join(dir, "out"));
  const out = join(outside, "cache");
  return { dir, kind, source, outside, out, allowedDirs: [outside, source.dir] };
}
