import * as fs from "node:fs";
import { basename } from "node:path";
import { CacheError } from "../domain/cache-error.ts";
import type { AllowedPath } from "./allowed-dirs.ts";
import { anotherUserOf, type Descent, descend, fromRoot } from "./descent.ts";
import { statAt } from "./tree/entries.ts";
import { otherGroup } from "./tree/group.ts";
import { toLocalError } from "./tree/local-error.ts";
import { isMountPoint, reachEachOther } from "./tree/mounts.ts";
import { currentPath, openPassageAt, pathOfHandle } from "./tree/pinned-directory.ts";
import { notLoadedMarker } from "./tree/transient-names.ts";
import { walk } from "./tree/tree.ts";

const { R_OK, W_OK, X_OK } = fs.constants;
const setGroupId = 0o2000;

/** An open local directory. Its holder closes the descriptors. */
export interface OpenedDirectory {
  readonly fd: number;
  /** The directory above, if that is allowed too, and may be searched. */
  readonly parentFd?: number;
  /** Its name in the directory above. */
  readonly name: string;
  /** Whether openDirectory made it. */
  readonly made: boolean;
  /** Its path, as the daemon sees it. */
  readonly path: string;
  /** The group of what is made in it, if that is another than the process's. */
  readonly group?: number;
  /** Whether a whole stage can take its place by one rename. */
  readonly replaceable: boolean;
  /** Whether it holds a file that a save would take. */
  readonly holdsFiles: boolean;
  /** Whether an interrupted load or clear left it marked as not loaded. */
  readonly notLoaded: boolean;
}

/**
 * A directory of another user, or the one in which the way to it ends so far: only a process with that
 * user's rights may go on from there. Its holder closes the descriptors.
 */
export interface UsersDirectory {
  readonly user: User;
  readonly fd: number;
  /** The directory above, if that is allowed too, and nothing is missing. */
  readonly parentFd?: number;
  /** Names of the directories that are still to be made, below this one. */
  readonly missing: readonly string[];
}

/** A user, and the group of a directory of this user. */
export interface User {
  readonly uid: number;
  readonly directoryGid: number;
}

/**
 * Opens an allowed directory, one component at a time from the root of the file system, without
 * following links. Makes what is missing; with `create` false, returns undefined instead. Throws
 * PATH_NOT_ALLOWED, or the local directory's error.
 */
export function openDirectory(
  allowedPath: AllowedPath,
  create: boolean,
): OpenedDirectory | UsersDirectory | undefined {
  const way = descend(fromRoot(allowedPath), allowedPath, { create });
  if (!way) return undefined;
  return orClosed(way, () => {
    if (way.missing.length === 0) requireApart(way.fd, allowedPath);
    const uid = anotherUserOf(way.fd);
    if (uid === undefined) return describe(allowedPath, way);
    const { fd, parentFd, missing } = way;
    const givesParent = parentFd !== undefined && missing.length === 0 && mayUseParent(allowedPath);
    const user = { uid, directoryGid: fs.fstatSync(fd).gid };
    return { user, fd, ...(givesParent ? { parentFd } : {}), missing };
  });
}

/** Goes on from where another user's directory was found, with the rights of that user. Takes its descriptors. */
export function openUsersDirectory(
  allowedPath: AllowedPath,
  found: Omit<UsersDirectory, "user">,
): OpenedDirectory {
  const way = descend({ ...found, made: false }, allowedPath, { create: true });
  if (!way) throw new CacheError("INTERNAL", `${allowedPath.path} was neither found nor made`);
  return orClosed(way, () => describe(allowedPath, way));
}

/** Closes what a descent opened, but for what the result of `body` holds. */
function orClosed<T extends { fd: number; parentFd?: number }>(way: Descent, body: () => T): T {
  let result: T | undefined;
  try {
    result = body();
    return result;
  } finally {
    if (!result) fs.closeSync(way.fd);
    if (way.parentFd !== undefined && result?.parentFd === undefined) fs.closeSync(way.parentFd);
  }
}

/** A path tells nothing of bind mounts, by which a clear, or a load that replaces, could empty the store. */
function requireApart(fd: number, { path, apartFrom }: AllowedPath): void {
  if (apartFrom === undefined || !reachEachOther(currentPath(fd), apartFrom)) return;
  throw new CacheError(
    "PATH_NOT_ALLOWED",
    `${path} and the store ${apartFrom} hold each other, or a part of each other, by a mount`,
  );
}

/**
 * Runs `body` with an allowed directory that need not be readable, only searchable; returns undefined
 * if the directory does not exist.
 */
export function withPassage<T>(allowedPath: AllowedPath, body: (fd: number) => T): T | undefined {
  const opened = descend(fromRoot(allowedPath), allowedPath, {
    create: false,
    openLastAt: openPassageAt,
  });
  if (!opened) return undefined;
  try {
    return body(opened.fd);
  } finally {
    fs.closeSync(opened.fd);
    if (opened.parentFd !== undefined) fs.closeSync(opened.parentFd);
  }
}

/**
 * Removes a directory that openDirectory made, if it is still in its place. Throws if it is not empty.
 */
export function removeMade({ fd, parentFd, name, made }: OpenedDirectory): void {
  if (!made || parentFd === undefined) return;
  const there = statAt(parentFd, name);
  const own = fs.fstatSync(fd);
  if (there?.dev === own.dev && there.ino === own.ino)
    fs.rmdirSync(`${pathOfHandle(parentFd)}/${name}`);
}

function mayUseParent({ below }: AllowedPath): boolean {
  return below.length > 0;
}

function describe(allowedPath: AllowedPath, { fd, parentFd, made }: Descent): OpenedDirectory {
  const stat = fs.fstatSync(fd);
  const group = otherGroup(stat.gid);
  const isUsable = parentFd !== undefined && mayUseParent(allowedPath) && may(parentFd, X_OK);
  const parent = isUsable ? parentFd : undefined;
  return {
    fd,
    ...(parent === undefined ? {} : { parentFd: parent }),
    name: allowedPath.below.at(-1) ?? basename(allowedPath.root),
    made,
    path: allowedPath.path,
    ...(group === undefined ? {} : { group }),
    replaceable: parent !== undefined && isReplaceable(parent, stat, allowedPath.path),
    holdsFiles: holdsFiles(fd, allowedPath.path),
    notLoaded: statAt(fd, notLoadedMarker) !== undefined,
  };
}

function isReplaceable(parentFd: number, stat: fs.Stats, path: string): boolean {
  if (fs.fstatSync(parentFd).dev !== stat.dev || isMountPoint(path)) return false;
  if (anotherUserOf(parentFd) !== undefined) return false;
  return isLikeOurs(stat) && may(parentFd, R_OK | W_OK | X_OK);
}

/** Whether this process has rights in an open directory. */
function may(fd: number, rights: number): boolean {
  try {
    fs.accessSync(pathOfHandle(fd), rights);
    return true;
  } catch {
    return false;
  }
}

/** Whether a directory made in its place would have its owner, and what is made below it its group. */
function isLikeOurs({ uid, gid, mode }: fs.Stats): boolean {
  if ((mode & setGroupId) !== 0 || uid !== process.geteuid?.()) return false;
  return gid === process.getegid?.() || otherGroup(gid) !== undefined;
}

function holdsFiles(fd: number, path: string): boolean {
  try {
    for (const { name } of walk(fd)) if (!name.endsWith("/")) return true;
    return false;
  } catch (error) {
    throw toLocalError(error, path);
  }
}
