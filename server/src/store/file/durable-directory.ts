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

/** Makes the names in a directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await fs.open(path, "r");
  try {
    await directory.sync();
  } catch (error) {
    // Some network and FUSE file systems cannot; they make names durable in their own way.
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
  } finally {
    await directory.close();
  }
}
