import { CacheError } from "../../domain/cache-error.ts";

const edquot = -122;

/** A failure on the file system of the store at `root`, as a CacheError. */
export function toFileStoreError(error: unknown, root: string): CacheError {
  if (error instanceof CacheError) return error;
  const { code, errno, message } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || errno === edquot)
    return new CacheError("INSUFFICIENT_SPACE", `the store ${root} is full`, { cause: error });
  const what =
    code === "ENOENT"
      ? "is not there: mount it, or name another one with COMPILE_CACHE_STORE"
      : `failed: ${code ?? errno ?? message}`;
  return new CacheError("STORE_UNAVAILABLE", `the store ${root} ${what}`, { cause: error });
}
