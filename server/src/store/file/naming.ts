import * as fs from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

// How a file takes a name, with `link` or `rename`, on file systems whose answers cannot be trusted.

const renameAttempts = 20;

/**
 * Gives a file a second name: `taken` if another file has that. On NFS the answer to a link can be lost
 * after it was made, so the link count decides.
 */
export async function linkIfFree(existing: string, name: string): Promise<"linked" | "taken"> {
  try {
    await fs.link(existing, name);
  } catch (error) {
    if (await isLinkedTwice(existing)) return "linked";
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return "taken";
    throw error;
  }
  return "linked";
}

/** Whether a file has a second name. On NFS it must be opened to learn what the server knows. */
async function isLinkedTwice(path: string): Promise<boolean> {
  const file = await fs.open(path, "r");
  try {
    return (await file.stat()).nlink >= 2;
  } finally {
    await file.close();
  }
}

/** An NFS client says so while another process of this machine renames to the name: that passes. */
const busyErrors: readonly string[] = ["ETXTBSY", "EBUSY"];

/**
 * FUSE tells a file system that a file was closed some time after its writer was told so, and some cannot
 * rename one that is open.
 */
export const openErrors: readonly string[] = [...busyErrors, "EIO"];

/** Gives a file a name, and takes it from any file that has it. Tries again after errors that pass. */
export async function renameOver(from: string, to: string, passing = busyErrors): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      return await fs.rename(from, to);
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (!passing.includes(code) || attempt === renameAttempts) throw error;
      await sleep(10 * attempt);
    }
}
