import { constants } from "node:fs";
import * as fs from "node:fs/promises";

/**
 * An NFS client answers from what it remembers, and fails where another machine has changed that. Here
 * is what makes it ask the server, and look again.
 */

const attempts = 10;

/**
 * How often a look may fail with EIO before that is believed: an NFSv3 client gives this error, too,
 * for a name that two machines replace all the time.
 */
const errorAttempts = 3;

const estale = -116;

/** Whether NFS says that another machine replaced or removed a file since this one looked at it. */
export function isStaleHandle(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).errno === estale;
}

/** Runs `look`, and runs it again if another machine came between, or may have. */
export async function lookAgainIfStale<T>(look: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await look();
    } catch (error) {
      if (attempt >= attemptsAfter(error)) throw error;
    }
}

function attemptsAfter(error: unknown): number {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || isStaleHandle(error)) return attempts;
  return code === "EIO" ? errorAttempts : 0;
}

/**
 * Has the names in a directory looked up afresh. For up to a minute an NFS client goes by the names
 * that it knows, and by those that it knows to be absent; when a directory is opened, it asks the
 * server whether that has changed. A directory that is absent or may not be read is left as it is.
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
