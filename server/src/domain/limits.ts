import { CacheError } from "./cache-error.ts";

/** The most that a cache may be. */
export interface Limits {
  /** Size of an archive. */
  readonly maxArchiveBytes: number;
  /** Sum of the sizes of the files in it. */
  readonly maxContentBytes: number;
  /** Number of files in it. */
  readonly maxFileCount: number;
}

/** The most that headers, names and padding of one file take in a tar stream, in bytes. */
export const mostHeaderBytes = 16 * 1024;

/**
 * The longest tar stream that a cache within the limits may have, in bytes: refreshes leave older versions
 * of files in it.
 */
export function mostStreamBytes(limits: Pick<Limits, "maxContentBytes" | "maxFileCount">): number {
  return 2 * limits.maxContentBytes + limits.maxFileCount * mostHeaderBytes;
}

const settings: Record<keyof Limits, { readonly setting: string; readonly unit: string }> = {
  maxArchiveBytes: { setting: "MAX_CACHE_SIZE_MB", unit: "bytes in its archive" },
  maxContentBytes: { setting: "MAX_CONTENT_SIZE_MB", unit: "bytes" },
  maxFileCount: { setting: "MAX_FILE_COUNT", unit: "files" },
};

/** Throws CACHE_TOO_LARGE if `is` passes a limit. `holder` begins the sentence: "the cache has". */
export function requireWithin(
  limits: Limits,
  limit: keyof Limits,
  is: number,
  holder: string,
): void {
  const { setting, unit } = settings[limit];
  const most = limits[limit];
  if (is > most)
    throw new CacheError(
      "CACHE_TOO_LARGE",
      `${holder} ${is} ${unit}, and at most ${most} are allowed (${setting})`,
    );
}

/** The error of something that passed a limit before its size was known: "the archive holds". */
export function tooLarge<Limit extends keyof Limits>(
  limits: Pick<Limits, Limit>,
  limit: Limit,
  holder: string,
  unit: string,
): CacheError {
  return new CacheError(
    "CACHE_TOO_LARGE",
    `${holder} more than ${limits[limit]} ${unit} (${settings[limit].setting})`,
  );
}
