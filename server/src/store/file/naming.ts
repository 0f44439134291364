import * as fs from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

// How a file takes a name, with `link` or `rename`, on file systems whose answers cannot be trusted.

const renameAttempts = 20;

/** Gives a file a second name. */
export type Link = (existing: string, name: string) => Promise<void>;

/** `link()`, which calls `onLack` each time the file system turns out to have no hard links. */
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

/** Whether a link failed because the file system has none: FUSE mounts of object stores, mostly. */
export function hasNoHardLinks(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV"].includes(code ?? "");
}

/**
 * Whether a file that was just linked has a second name. On NFS the answer to a link can be lost after
 * it was made, so this decides; and there a file must be opened to learn what the server knows.
 */
export async function isLinkedTwice(path: string): Promise<boolean> {
  const file = await fs.open(path, "r");
  try {
    return (await file.stat()).nlink >= 2;
  } finally {
    await file.close();
  }
}

/**
 * Gives a file a name, and takes it from any file that has it. An NFS client says that the name is busy
 * while another process of this machine renames to it: that passes.
 */
export async function renameOver(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      return await fs.rename(from, to);
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (!["ETXTBSY", "EBUSY"].includes(code) || attempt === renameAttempts) throw error;
      await sleep(10 * attempt);
    }
}
