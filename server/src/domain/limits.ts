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

const mb = 1024 * 1024;

/** What says each limit, and what one of its units is in what the limit counts. */
const settings: Record<
  keyof Limits,
  { readonly setting: string; readonly unit: string; readonly size: number }
> = {
  maxArchiveBytes: { setting: "MAX_CACHE_SIZE_MB", unit: "bytes in its archive", size: mb },
  maxContentBytes: { setting: "MAX_CONTENT_SIZE_MB", unit: "bytes", size: mb },
  maxFileCount: { setting: "MAX_FILE_COUNT", unit: "files", size: 1 },
};

/** Throws CACHE_TOO_LARGE if `is` passes a limit. `holder` begins the sentence: "the cache has". */
export function requireWithin(
  limits: Limits,
  limit: keyof Limits,
  is: number,
  holder: string,
): void {
  if (is > limits[limit])
    throw new CacheError(
      "CACHE_TOO_LARGE",
      `${holder} ${is.toLocaleString("en-US")} ${settings[limit].unit}: ${limitText(limits, limit)}`,
    );
}

/**
 * The error of something that passed a limit before its size was known: "the archive holds more than";
 * `least` is how much that is at least, where it is more than the limit.
 */
export function tooLarge<Limit extends keyof Limits>(
  limits: Pick<Limits, Limit>,
  limit: Limit,
  holder: string,
  unit: string,
  least?: number,
): CacheError {
  const amount = (least ?? limits[limit]).toLocaleString("en-US");
  const comparison = least === undefined ? "more than" : "at least";
  return new CacheError(
    "CACHE_TOO_LARGE",
    `${holder} ${comparison} ${amount} ${unit}: ${limitText(limits, limit)}`,
  );
}

/** What is allowed, by the setting that a person would change and in its unit. */
function limitText<Limit extends keyof Limits>(limits: Pick<Limits, Limit>, limit: Limit): string {
  const { setting, size } = settings[limit];
  const most: number = limits[limit];
  const inBytes = size === 1 ? "" : ` (${most.toLocaleString("en-US")} bytes)`;
  return `${setting} of the daemon is ${most / size}${inBytes}`;
}
