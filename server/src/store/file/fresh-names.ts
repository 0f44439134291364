import { constants } from "node:fs";
import * as fs from "node:fs/promises";

/**
 * Makes the names in a directory be looked up afresh. An NFS client goes for up to a minute by the
 * names that it knows, and by those that it knows to be absent; when a directory is opened it asks the
 * server whether that has changed. One that is absent, or that may not be read, is left as it is.
 */
export async function refreshNames(directory: string): Promise<void> {
  try {
    const opened = await fs.open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    await opened.close();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["ENOENT", "EACCES"].includes(code)) throw error;
  }
}
