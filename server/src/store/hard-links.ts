import * as fs from "node:fs/promises";

/** Whether a link failed because the file system has none: FUSE mounts of object stores, mostly. */
export function hasNoHardLinks(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV"].includes(code ?? "");
}

/**
 * Whether a file that we just linked has a second name. On NFS the answer to a link can be lost after
 * it was made, so this is the judge.
 */
export async function isLinkedTwice(path: string): Promise<boolean> {
  return (await fs.stat(path)).nlink >= 2;
}
