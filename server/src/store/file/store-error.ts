import { CacheError } from "../../domain/cache-error.ts";

const edquot = -122;

/** A failure of the store's file system as a CacheError. */
export function toStoreError(error: unknown, place: string): CacheError {
  if (error instanceof CacheError) return error;
  const { code, errno, message } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || errno === edquot)
    return new CacheError("INSUFFICIENT_SPACE", `the store ${place} is full`, { cause: error });
  const what =
    code === "ENOENT"
      ? "is not there: mount it, or name another one with COMPILE_CACHE_STORE"
      : `failed: ${code ?? errno ?? message}`;
  return new CacheError("STORE_UNAVAILABLE", `the store ${place} ${what}`, { cause: error });
}
