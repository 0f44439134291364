import { access } from "node:fs/promises";
import { dirname } from "node:path";
import { CacheError } from "../../../domain/cache-error.ts";
import { ArchiveUnreadable, storeIsFull } from "../../store.ts";
import { describeRefusal } from "./rights.ts";

const edquot = -122;

/** Whether the file system says that this user may not do something. */
export function isRefusal(error: unknown): boolean {
  return ["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "");
}

/** A failure on the file system of the store at `root`, as a CacheError. Looks at whose files refuse. */
export async function toFileStoreError(error: unknown, root: string): Promise<CacheError> {
  if (error instanceof CacheError) return error;
  const { code, errno, message, path } = error as NodeJS.ErrnoException;
  const cause = error;
  if (code === "ENOSPC" || errno === edquot) return storeIsFull(root, cause);
  if (code === "EFBIG")
    return new CacheError(
      "INSUFFICIENT_SPACE",
      `the store ${root} takes no file as large as this archive`,
      { cause },
    );
  if (isRefusal(error) && path !== undefined) {
    const refusal = await describeRefusal(error as NodeJS.ErrnoException);
    // What cannot be read below the root is of one archive, or of one namespace.
    return refusal.unreadable?.startsWith(`${root}/`)
      ? new ArchiveUnreadable(refusal.text, error)
      : new CacheError("STORE_UNAVAILABLE", refusal.text, { cause });
  }
  const parent = dirname(root);
  const lacksParent = code === "ENOENT" && !(await isThere(parent));
  const orMake = lacksParent ? `, or make ${parent}, in which a daemon makes it at its start` : "";
  return new CacheError("STORE_UNAVAILABLE", textOf(), { cause });

  function textOf(): string {
    switch (code) {
      case "ENOENT":
        return `the store ${root} is not there: mount it${orMake}, or name another one with --store or COMPILE_CACHE_STORE`;
      case "EROFS":
        return `the store ${root} is read-only: caches can be loaded from it, not saved or removed`;
      case "ENOTDIR":
        return `${path ?? root} is not a directory; a link to one is not followed`;
      case "ENAMETOOLONG":
        return `the file system of the store ${root} takes no name as long as that of ${path}`;
      default:
        return `the store ${root} failed: ${code ?? errno ?? message}`;
    }
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
