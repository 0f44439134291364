import * as fs from "node:fs/promises";
import { dirname } from "node:path";

/** Makes a directory, if it is absent, whose name survives a power cut. */
export async function makeDurableDirectory(path: string): Promise<void> {
  try {
    await fs.mkdir(path);
  } catch (error) {
    // The process that made it may have been killed before its name was durable.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  await syncDirectory(dirname(path));
}

/** Makes the names in a directory survive a power cut, if this user may open it. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await fs.open(path, "r").catch((error) => {
    if (error.code !== "EACCES") throw error;
  });
  try {
    if (directory) await syncIfPossible(directory);
  } finally {
    await directory?.close();
  }
}

/**
 * Makes an open file or directory survive a power cut. Some network and FUSE file systems cannot be
 * told to; they do it in their own way, with a file when it is closed.
 */
export async function syncIfPossible(handle: fs.FileHandle): Promise<void> {
  try {
    await handle.sync();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(code)) throw error;
  }
}
