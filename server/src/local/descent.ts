import * as fs from "node:fs";
import { CacheError } from "../domain/cache-error.ts";
import type { AllowedPath } from "./allowed-dirs.ts";
import { statAt } from "./tree/entries.ts";
import { madeDirectoryMode } from "./tree/file-mode.ts";
import { isMapped } from "./tree/id-map.ts";
import { toLocalError } from "./tree/local-error.ts";
import { openDirectoryAt, openPassageAt, openRoot, pathOfHandle } from "./tree/pinned-directory.ts";

/** How far a descent came: the open directory there, and the one above it. */
export interface Descent {
  readonly fd: number;
  readonly parentFd?: number | undefined;
  /** Names of the directories that are still to be made, below this one. */
  readonly missing: readonly string[];
  /** Whether the last directory had to be made. */
  readonly made: boolean;
}

/** The names on the way to an allowed path, from the root of the file system. */
export function componentsOf({ root, below }: AllowedPath): string[] {
  return [...root.split("/").filter(Boolean), ...below];
}

/** Where every way begins; the descent closes it. */
export function fromRoot(allowedPath: AllowedPath): Descent {
  return { fd: openRoot(), missing: componentsOf(allowedPath), made: false };
}

/**
 * Goes on from an open directory to an allowed path, one name at a time, following no link. Makes what
 * is missing; with `create` false, returns undefined instead. A process of root makes nothing in another
 * user's directory, but stops there. Takes the descriptors of `from`; the caller closes those of the
 * result. Throws PATH_NOT_ALLOWED, or the local directory's error.
 */
export function descend(
  from: Descent,
  allowedPath: AllowedPath,
  {
    create,
    openLastAt = openDirectoryAt,
  }: { create: boolean; openLastAt?: typeof openDirectoryAt },
): Descent | undefined {
  const open = from.parentFd === undefined ? [from.fd] : [from.parentFd, from.fd];
  let arrived: Descent | undefined;
  let { made } = from;
  try {
    for (const [i, name] of from.missing.entries()) {
      const fd = open.at(-1) as number;
      const openAt = i < from.missing.length - 1 ? openPassageAt : openLastAt;
      const next = enter(fd, name, allowedPath, create, openAt);
      if (next === "missing") return undefined;
      if (next === "another user's") {
        arrived = { fd, parentFd: open.at(-2), missing: from.missing.slice(i), made };
        return arrived;
      }
      open.push(next.fd);
      made = next.made;
      if (open.length > 2) fs.closeSync(open.shift() as number);
    }
    arrived = { fd: open.at(-1) as number, parentFd: open.at(-2), missing: [], made };
    return arrived;
  } finally {
    if (!arrived) for (const fd of open) fs.closeSync(fd);
  }
}

/**
 * The user whose rights alone may be used in an open directory, if that is not the user of this
 * process: root's rights are for root's directories.
 */
export function anotherUserOf(fd: number): number | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  const { uid } = fs.fstatSync(fd);
  return uid === 0 || !isMapped("uid", uid) ? undefined : uid;
}

function enter(
  parentFd: number,
  name: string,
  allowedPath: AllowedPath,
  create: boolean,
  openAt: typeof openDirectoryAt,
): { fd: number; made: boolean } | "missing" | "another user's" {
  let made = false;
  for (let attempt = 0; ; attempt++) {
    try {
      return { fd: openAt(parentFd, name), made };
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "ENOTDIR" || code === "ELOOP")
        throw noDirectory(parentFd, name, allowedPath, error);
      if (code !== "ENOENT" || attempt > 0) throw toLocalError(error, allowedPath.path);
      if (!create) return "missing";
      if (anotherUserOf(parentFd) !== undefined) return "another user's";
      made = make(parentFd, name, allowedPath);
    }
  }
}

function noDirectory(
  parentFd: number,
  name: string,
  { path }: AllowedPath,
  cause: unknown,
): CacheError {
  const what = statAt(parentFd, name)?.isSymbolicLink()
    ? "a symbolic link, which is not followed: name the directory that it leads to"
    : "not a directory";
  return new CacheError("PATH_NOT_ALLOWED", `${path}: ${JSON.stringify(name)} is ${what}`, {
    cause,
  });
}

/** Makes a directory; returns false if it exists by now. */
function make(parentFd: number, name: string, allowedPath: AllowedPath): boolean {
  try {
    fs.mkdirSync(`${pathOfHandle(parentFd)}/${name}`, madeDirectoryMode);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST")
      throw toLocalError(error, allowedPath.path);
    return false;
  }
}
