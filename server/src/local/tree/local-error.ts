import { CacheError } from "../../domain/cache-error.ts";

const edquot = -122;

/**
 * Turns a failure of the local directory's file system into a CacheError that names it `shownAs`. Other
 * errors are bugs, and are returned unchanged.
 */
export function toLocalError(error: unknown, shownAs: string): unknown {
  if (error instanceof CacheError) return error;
  const { code, errno, syscall } = error as NodeJS.ErrnoException;
  if (syscall === undefined || code === "EBADF" || code === "EINVAL") return error;
  if (code === "ENOSPC" || errno === edquot)
    return new CacheError("INSUFFICIENT_SPACE", `${shownAs} is full`, { cause: error });
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new CacheError(
      "PATH_NOT_ALLOWED",
      `the daemon may not read or write in ${shownAs} (${code})`,
      { cause: error },
    );
  return new CacheError("LOCAL_UNAVAILABLE", `${shownAs} failed: ${code ?? errno}`, {
    cause: error,
  });
}
