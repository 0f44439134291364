import * as fs from "node:fs";

// Linux names an open directory `/proc/self/fd/N`, even after it was moved. Opening one component at a
// time from there, without following links, does what openat(2) does, which Node lacks: another user
// who may write in the tree cannot redirect the daemon between a check and a use.

const directoryFlags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW;

/**
 * O_PATH, which Node does not name: the descriptor serves only to reach what is below, for which search
 * permission is enough.
 */
const passageFlags = 0o10000000 | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW;

/** A name in a directory: text, or its bytes where these are not UTF-8. */
export type EntryName = string | Uint8Array;

/** A path that names an open file or directory, even after that was moved. */
export function pathOfHandle(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** A path that names an entry of an open directory. */
export function pathAt(fd: number, name: EntryName): string | Buffer {
  const directory = `${pathOfHandle(fd)}/`;
  return typeof name === "string"
    ? directory + name
    : Buffer.concat([Buffer.from(directory), name]);
}

/**
 * Opens a directory by its name in an open one; the caller closes the descriptor. Throws ENOTDIR or
 * ELOOP for anything else, including a link to a directory.
 */
export function openDirectoryAt(parentFd: number, name: EntryName): number {
  return fs.openSync(pathAt(parentFd, name), directoryFlags);
}

/** Like openDirectoryAt, for a directory on the way to another: it need not be readable. */
export function openPassageAt(parentFd: number, name: EntryName): number {
  return fs.openSync(pathAt(parentFd, name), passageFlags);
}

/** Opens the root of the file system; the caller closes the descriptor. */
export function openRoot(): number {
  return fs.openSync("/", directoryFlags);
}

/** The path that an open file or directory has now, according to the kernel. */
export function currentPath(fd: number): string {
  return fs.readlinkSync(pathOfHandle(fd));
}

/** Opens a directory by its name in an open one for as long as `body` runs. */
export function withDirectoryAt<T>(parentFd: number, name: EntryName, body: (fd: number) => T): T {
  const fd = openDirectoryAt(parentFd, name);
  try {
    return body(fd);
  } finally {
    fs.closeSync(fd);
  }
}
