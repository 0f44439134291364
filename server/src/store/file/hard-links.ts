import * as fs from "node:fs/promises";

/** Whether a link failed because the file system has none: FUSE mounts of object stores, mostly. */
export function hasNoHardLinks(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV"].includes(code ?? "");
}

/** Gives a file a second name. */
export type Link = (existing: string, name: string) => Promise<void>;

/** `link()`, which tells when a file system turns out to have no hard links. */
export function createLink(onLack: () => void): Link {
  return async (existing, name) => {
    try {
      await fs.link(existing, name);
    } catch (error) {
      if (hasNoHardLinks(error)) onLack();
      throw error;
    }
  };
}

/**
 * Whether a file that we just linked has a second name. On NFS the answer to a link can be lost after
 * it was made, so this is the judge; and there a file must be opened to learn what the server knows.
 */
export async function isLinkedTwice(path: string): Promise<boolean> {
  const file = await fs.open(path, "r");
  try {
    return (await file.stat()).nlink >= 2;
  } finally {
    await file.close();
  }
}
