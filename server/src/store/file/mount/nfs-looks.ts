import { constants } from "node:fs";
import * as fs from "node:fs/promises";

// An NFS client answers from its cache of names, and fails where another machine has changed a file
// since. This is how the store looks at files all the same.

const attempts = 10;

/** An NFSv3 client may also say EIO, once or twice, of a name that two machines keep replacing. */
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
 * Drops cached names of a directory that are out of date. An NFS client keeps names, and the absence of
 * names, for up to a minute; when a directory is opened, it asks the server whether that has changed.
 * Does nothing for a directory that is absent or may not be read. Throws ENOTDIR for anything else, such
 * as a link, unless links are to be followed.
 */
export async function refreshNames(directory: string, { followLinks = false } = {}): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  try {
    const opened = await fs.open(directory, followLinks ? flags : flags | constants.O_NOFOLLOW);
    await opened.close();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["ENOENT", "EACCES"].includes(code)) throw error;
  }
}

/**
 * Drops what is cached of one name that a file has. An NFS client that renames a file goes on believing
 * that the new name has the file which it knew by the old one, even if another machine had put a file in
 * its place. When a name is to be made that must not exist, it asks the server first.
 */
export async function refreshName(path: string): Promise<void> {
  try {
    await fs.mkdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    throw error;
  }
  // The file is gone, and nothing is to come in its place.
  await fs.rmdir(path);
}
