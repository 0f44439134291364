import type { CacheError, Reason } from "../domain/cache-error.ts";
import type { LogFields, Logger } from "../domain/logger.ts";

/** What is wrong with us, with the store or with a disk, and not with what a caller asks for. */
const faults: ReadonlySet<Reason> = new Set([
  "ARCHIVE_CORRUPT",
  "ARCHIVE_UNSAFE",
  "STORE_UNAVAILABLE",
  "LOCAL_UNAVAILABLE",
  "INTERNAL",
]);

/**
 * Logs why something failed: a fault as an error with its stack and cause, a caller's mistake or a
 * full disk as a warning in words.
 */
export function logFailure(
  logger: Logger,
  message: string,
  error: CacheError,
  fields: LogFields = {},
): void {
  const { reason } = error;
  if (faults.has(reason)) logger.error(message, { ...fields, reason, error });
  else logger.warn(message, { ...fields, reason, why: error.message });
}
