import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Environment } from "../clients/typescript/src/index.ts";
import { makeCache } from "../fixtures/make-cache.ts";

/** The environment that benches save and load for; any would do, as archives differ only by its name. */
export const environment: Environment = {
  torchVersion: "2.11.0",
  cudaVersion: "13.0",
  computeCapability: "9.0",
  tritonVersion: "3.6.0",
};

/** A cache directory to measure with. */
export interface SourceCache {
  /** Its name, as text to show. */
  readonly name: string;
  readonly dir: string;
  readonly fileCount: number;
  readonly bytes: number;
}

const realCacheFile = fileURLToPath(
  import.meta.resolve("../../shared/data/inductor-cache-h200.tar.xz"),
);
/** The size of the real cache, and of a generated one with `scale` 1. */
export const realCache = { fileCount: 12_462, bytes: 728_782_759 };

/** Bytes of the cache that `prepareCache` will make. */
export function sizeOfCache(given: string | undefined): number {
  return given === undefined ? realCache.bytes : totalsOf(given).bytes;
}

/**
 * Puts a copy of a cache below `parent`: of the directory `given`, else of the real cache where this
 * machine has it, else a generated one of the same size and make-up.
 */
export function prepareCache(parent: string, given: string | undefined): SourceCache {
  const dir = join(parent, "source");
  mkdirSync(dir, { recursive: true });
  if (given !== undefined) {
    execFileSync("cp", ["-a", `${resolve(given)}/.`, dir]);
    return { name: basename(resolve(given)), dir, ...totalsOf(dir) };
  }
  if (!existsSync(realCacheFile)) return generateCache(parent, 1);
  execFileSync("tar", ["-xJf", realCacheFile, "-C", dir, "--strip-components=1"]);
  return { name: basename(realCacheFile), dir, ...totalsOf(dir) };
}

/** Generates a cache below `parent`; its files look old enough to be saved. */
export function generateCache(
  parent: string,
  scale: number,
  sizes: { sizeScale?: number; extraFileBytes?: number } = {},
): SourceCache {
  const dir = join(parent, "source");
  const made = makeCache(dir, { scale, ...sizes });
  return { name: "generated", dir, ...made };
}

/** A cache's name and size, as text to show. */
export function describeCache({ name, fileCount, bytes }: SourceCache): string {
  return `${name}, ${fileCount.toLocaleString("en")} files, ${(bytes / 1e6).toFixed(0)} MB`;
}

/** Files below a directory, and their bytes. */
export function totalsOf(dir: string): { fileCount: number; bytes: number } {
  let fileCount = 0;
  let bytes = 0;
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    fileCount += 1;
    bytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return { fileCount, bytes };
}
