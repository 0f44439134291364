import * as fs from "node:fs";
import { basename } from "node:path";
import { CacheError } from "../domain/cache-error.ts";
import type { AllowedPath } from "./allowed-dirs.ts";
import { statAt } from "./tree/entries.ts";
import { madeDirectoryMode } from "./tree/file-mode.ts";
import { toLocalError } from "./tree/local-error.ts";
import { isMountPoint, reachEachOther } from "./tree/mounts.ts";
import {
  currentPath,
  openDirectoryAt,
  openPassageAt,
  openRoot,
  pathOfHandle,
  withDirectoryAt,
} from "./tree/pinned-directory.ts";
import { notLoadedMarker } from "./tree/transient-names.ts";
import { type Owner, walk } from "./tree/tree.ts";

const { R_OK, W_OK, X_OK } = fs.constants;
const setGroupId = 0o2000;

/** An open local directory. Its holder closes the descriptors. */
export interface OpenedDirectory {
  readonly fd: number;
  /** The directory above, if that is allowed too. */
  readonly parentFd?: number;
  /** Its name in the directory above. */
  readonly name: string;
  /** Whether openDirectory made it. */
  readonly made: boolean;
  /** Its path, as the daemon sees it. */
  readonly path: string;
  /** Who is to own what is made in it, if that is not the daemon itself. */
  readonly owner?: Owner;
  /** Whether a whole stage can take its place by one rename. */
  readonly replaceable: boolean;
  /** Whether it holds a file that a save would take. */
  readonly holdsFiles: boolean;
  /** Whether an interrupted load or clear left it marked as not loaded. */
  readonly notLoaded: boolean;
}

/**
 * Opens an allowed directory, one component at a time from the root of the file system, without
 * following links. Makes what is missing; with `create` false, returns undefined instead. Throws
 * PATH_NOT_ALLOWED, or the local directory's error.
 */
export function openDirectory(allowedPath: AllowedPath, create: true): OpenedDirectory;
export function openDirectory(
  allowedPath: AllowedPath,
  create: boolean,
): OpenedDirectory | undefined;
export function openDirectory(
  allowedPath: AllowedPath,
  create: boolean,
): OpenedDirectory | undefined {
  const opened = descend(allowedPath, create, openDirectoryAt);
  if (!opened) return undefined;
  try {
    requireApart(opened.fd, allowedPath);
  } catch (error) {
    fs.closeSync(opened.fd);
    if (opened.parentFd !== undefined) fs.closeSync(opened.parentFd);
    throw error;
  }
  let directory: OpenedDirectory | undefined;
  try {
    directory = describe(allowedPath, opened);
    return directory;
  } finally {
    if (!directory) fs.closeSync(opened.fd);
    if (opened.parentFd !== undefined && directory?.parentFd === undefined)
      fs.closeSync(opened.parentFd);
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
  const opened = descend(allowedPath, false, openPassageAt);
  if (!opened) return undefined;
  try {
    return body(opened.fd);
  } finally {
    fs.closeSync(opened.fd);
    if (opened.parentFd !== undefined) fs.closeSync(opened.parentFd);
  }
}

/** Where a descent ended: the open directory, and the one above it. */
interface Descent {
  readonly fd: number;
  readonly parentFd: number | undefined;
  /** Whether the last directory had to be made. */
  readonly made: boolean;
}

/** Opens each directory on the way to an allowed path. The caller closes both descriptors. */
function descend(
  allowedPath: AllowedPath,
  create: boolean,
  openLastAt: typeof openDirectoryAt,
): Descent | undefined {
  const components = [...allowedPath.root.split("/").filter(Boolean), ...allowedPath.below];
  const open = [openRoot()];
  let arrived = false;
  let made = false;
  try {
    for (const [i, name] of components.entries()) {
      const openAt = i < components.length - 1 ? openPassageAt : openLastAt;
      const next = enter(open.at(-1) as number, name, allowedPath, create, openAt);
      if (next === undefined) return undefined;
      open.push(next.fd);
      made = next.made;
      if (open.length > 2) fs.closeSync(open.shift() as number);
    }
    arrived = true;
    return { fd: open.at(-1) as number, parentFd: open.at(-2), made };
  } finally {
    if (!arrived) for (const fd of open) fs.closeSync(fd);
  }
}

function enter(
  parentFd: number,
  name: string,
  allowedPath: AllowedPath,
  create: boolean,
  openAt: typeof openDirectoryAt,
): { fd: number; made: boolean } | undefined {
  let made = false;
  for (let attempt = 0; ; attempt++) {
    try {
      return { fd: openAt(parentFd, name), made };
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "ENOTDIR" || code === "ELOOP") {
        const what = statAt(parentFd, name)?.isSymbolicLink()
          ? "a symbolic link, which is not followed: name the directory that it leads to"
          : "not a directory";
        throw new CacheError(
          "PATH_NOT_ALLOWED",
          `${allowedPath.path}: ${JSON.stringify(name)} is ${what}`,
          {
            cause: error,
          },
        );
      }
      if (code !== "ENOENT" || attempt > 0) throw toLocalError(error, allowedPath.path);
      if (!create) return undefined;
      made = make(parentFd, name, allowedPath);
    }
  }
}

/** Makes a directory; returns false if it exists by now. */
function make(parentFd: number, name: string, allowedPath: AllowedPath): boolean {
  try {
    fs.mkdirSync(`${pathOfHandle(parentFd)}/${name}`, madeDirectoryMode);
    const owner = otherOwner(fs.fstatSync(parentFd));
    // A user who may write in the directory above may have replaced the new directory already.
    if (owner) withDirectoryAt(parentFd, name, (fd) => fs.fchownSync(fd, owner.uid, owner.gid));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST")
      throw toLocalError(error, allowedPath.path);
    return false;
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

function describe(allowedPath: AllowedPath, { fd, parentFd, made }: Descent): OpenedDirectory {
  const stat = fs.fstatSync(fd);
  const owner = otherOwner(stat);
  const mayUseParent = parentFd !== undefined && allowedPath.below.length > 0;
  return {
    fd,
    ...(mayUseParent ? { parentFd } : {}),
    name: allowedPath.below.at(-1) ?? basename(allowedPath.root),
    made,
    path: allowedPath.path,
    ...(owner ? { owner } : {}),
    replaceable: mayUseParent && isReplaceable(parentFd, stat, allowedPath.path),
    holdsFiles: holdsFiles(fd, allowedPath.path),
    notLoaded: statAt(fd, notLoadedMarker) !== undefined,
  };
}

/** The owner, if it is another than the daemon and the daemon, as root, may give files to it. */
function otherOwner({ uid, gid }: fs.Stats): Owner | undefined {
  const self = process.geteuid?.();
  return self === 0 && (uid !== 0 || gid !== 0) ? { uid, gid } : undefined;
}

function isReplaceable(parentFd: number, stat: fs.Stats, path: string): boolean {
  if (fs.fstatSync(parentFd).dev !== stat.dev || isMountPoint(path)) return false;
  if (!isLikeOurs(stat)) return false;
  try {
    fs.accessSync(pathOfHandle(parentFd), R_OK | W_OK | X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether a directory made in its place would have its owner, and what is made below it its group. */
function isLikeOurs({ uid, gid, mode }: fs.Stats): boolean {
  const handsDown = (mode & setGroupId) !== 0;
  const isRoot = process.geteuid?.() === 0;
  return !handsDown && (isRoot || (uid === process.geteuid?.() && gid === process.getegid?.()));
}

function holdsFiles(fd: number, path: string): boolean {
  try {
    for (const { name } of walk(fd)) if (!name.endsWith("/")) return true;
    return false;
  } catch (error) {
    throw toLocalError(error, path);
  }
}
