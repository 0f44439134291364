import { invalidField } from "./cache-error.ts";

/** Which cache: a namespace and a cache key. */
export interface CacheId {
  readonly namespace: string;
  readonly cacheKey: string;
}

/** The ways an archive can be compressed, in the order in which a load prefers them. */
export const archiveFormats = ["tar.zst", "tar.gz"] as const;
export type ArchiveFormat = (typeof archiveFormats)[number];

const filenamePattern = /^cache_([0-9a-f]{12})\.latest\.(tar\.zst|tar\.gz)$/;

/** The cache key that a request names. Throws INVALID_REQUEST. */
export function parseCacheKey(text: string): string {
  if (/^[0-9a-f]{12}$/.test(text)) return text;
  throw invalidField(
    "cache_key",
    `${JSON.stringify(text)} is not 12 lower-case hexadecimal digits`,
  );
}

/** Name of a cache's archive within its namespace. */
export function archiveFilename(cacheKey: string, format: ArchiveFormat): string {
  return `cache_${cacheKey}.latest.${format}`;
}

/** What an archive's file name says, or undefined for any other file. */
export function parseArchiveFilename(
  name: string,
): { cacheKey: string; format: ArchiveFormat } | undefined {
  const match = filenamePattern.exec(name);
  if (!match) return undefined;
  return { cacheKey: match[1] as string, format: match[2] as ArchiveFormat };
}
