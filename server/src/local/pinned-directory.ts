import * as fs from "node:fs";

// Linux names an open directory `/proc/self/fd/N`, even when its path has changed. Going down from
// there one component at a time, never following a link, does what openat(2) does, which Node lacks:
// another user who may write in the tree cannot lead us out of it between a check and a use.

const directoryFlags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW;

/** O_PATH, which Node has no name for: a handle to go on from, for which search permission is enough. */
const passageFlags = 0o10000000 | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW;

/** A path that goes on naming an open directory. */
export function pathOfHandle(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/**
 * Opens a directory by its name in an open one; returns a descriptor that the caller closes. Throws
 * ENOTDIR or ELOOP for anything that is not a directory, a link to one included.
 */
export function openDirectoryAt(parentFd: number, name: string): number {
  return fs.openSync(`${pathOfHandle(parentFd)}/${name}`, directoryFlags);
}

/** The same for a directory that is only passed through: it need not be readable. */
export function openPassageAt(parentFd: number, name: string): number {
  return fs.openSync(`${pathOfHandle(parentFd)}/${name}`, passageFlags);
}

/** Opens the root of the file system: where every walk begins. */
export function openRoot(): number {
  return fs.openSync("/", directoryFlags);
}

/** The path that an open file or directory has now, as the kernel tells it. */
export function currentPath(fd: number): string {
  return fs.readlinkSync(pathOfHandle(fd));
}

/** Runs `body` with a directory that is open just for it. */
export function withDirectoryAt<T>(parentFd: number, name: string, body: (fd: number) => T): T {
  const fd = openDirectoryAt(parentFd, name);
  try {
    return body(fd);
  } finally {
    fs.closeSync(fd);
  }
}
