import * as fs from "node:fs";
import { pathOfHandle, withDirectoryAt } from "./pinned-directory.ts";
import { isTransientDirectory, isTransientFile, ownPrefix } from "./transient-names.ts";

// Synchronous work on directory trees, for worker threads. It reaches everything through open
// directories.

/** A user and group, by their numbers. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A number of files, and the sum of their sizes in bytes. */
export interface Totals {
  fileCount: number;
  bytes: number;
}

/** Called between steps of long work; throws if the work must stop. */
export type Checkpoint = () => void;

/** A file or an empty directory that a walk found. */
export interface WalkEntry {
  /** Path below the root; a directory's ends in `/`. */
  readonly name: string;
  readonly stat: fs.Stats;
}

/** What lies below a path of this length cannot be opened by its path. */
const maxNameLength = 4096;

/**
 * Walks the files and empty directories below an open directory that a save would take. Skips links,
 * other kinds of file, and names that are never saved.
 */
export function* walk(fd: number, prefix = ""): Generator<WalkEntry> {
  for (const entry of fs.readdirSync(pathOfHandle(fd), { withFileTypes: true })) {
    const name = prefix + entry.name;
    if (entry.isDirectory()) {
      if (!isTransientDirectory(entry.name) && name.length < maxNameLength)
        yield* walkDirectory(fd, entry.name, `${name}/`);
    } else if (entry.isFile() && !isTransientFile(entry.name)) {
      const stat = statAt(fd, entry.name);
      if (stat?.isFile()) yield { name, stat };
    }
  }
}

function* walkDirectory(parentFd: number, name: string, path: string): Generator<WalkEntry> {
  let fd: number;
  try {
    fd = fs.openSync(
      `${pathOfHandle(parentFd)}/${name}`,
      fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW,
    );
  } catch (error) {
    if (isGone(error)) return;
    throw error;
  }
  try {
    if (fs.readdirSync(pathOfHandle(fd)).length === 0) yield { name: path, stat: fs.fstatSync(fd) };
    else yield* walk(fd, path);
  } finally {
    fs.closeSync(fd);
  }
}

/** Counts the files that a save would take of an open directory with the profile `full`. */
export function measureTree(rootFd: number, checkpoint: Checkpoint): Totals {
  const totals = { fileCount: 0, bytes: 0 };
  for (const { name, stat } of walk(rootFd)) {
    checkpoint();
    if (name.endsWith("/")) continue;
    totals.fileCount += 1;
    totals.bytes += stat.size;
  }
  return totals;
}

/**
 * Status of an entry of an open directory, without following links; undefined if there is no such
 * entry.
 */
export function statAt(fd: number, name: string): fs.Stats | undefined {
  return fs.lstatSync(`${pathOfHandle(fd)}/${name}`, { throwIfNoEntry: false });
}

/** Removes everything in an open directory except what `keep` names, and adds it to `removed`. */
export function emptyDirectory(
  fd: number,
  removed: Totals,
  checkpoint: Checkpoint,
  keep: (name: string) => boolean = () => false,
): void {
  for (const entry of fs.readdirSync(pathOfHandle(fd), { withFileTypes: true })) {
    checkpoint();
    if (!keep(entry.name)) removeAt(fd, entry.name, removed, checkpoint);
  }
}

/**
 * Removes a file, link or whole directory by its name in an open directory, if it exists; adds its
 * files to `removed`.
 */
export function removeAt(fd: number, name: string, removed: Totals, checkpoint: Checkpoint): void {
  const stat = statAt(fd, name);
  if (!stat) return;
  const path = `${pathOfHandle(fd)}/${name}`;
  try {
    if (stat.isDirectory()) {
      withDirectoryAt(fd, name, (child) => emptyDirectory(child, removed, checkpoint));
      fs.rmdirSync(path);
    } else {
      fs.unlinkSync(path);
      if (stat.isFile()) {
        removed.fileCount += 1;
        removed.bytes += stat.size;
      }
    }
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** The names in a tree: a file is `true`, a directory is another such map. */
export type Names = Map<string, true | Names>;

/** All names below an open directory, except those with `ownPrefix`. */
export function namesBelow(fd: number): Names {
  const names: Names = new Map();
  for (const entry of fs.readdirSync(pathOfHandle(fd), { withFileTypes: true })) {
    if (entry.name.startsWith(ownPrefix)) continue;
    names.set(entry.name, entry.isDirectory() ? withDirectoryAt(fd, entry.name, namesBelow) : true);
  }
  return names;
}

/**
 * Moves everything below one open directory into another on the same file system, each file by one
 * system call. If a name is taken, `overwrite` decides whether the moved file replaces what is there.
 */
export function moveInto(
  fromFd: number,
  toFd: number,
  overwrite: boolean,
  checkpoint: Checkpoint,
): void {
  for (const entry of fs.readdirSync(pathOfHandle(fromFd), { withFileTypes: true })) {
    checkpoint();
    const from = `${pathOfHandle(fromFd)}/${entry.name}`;
    const to = `${pathOfHandle(toFd)}/${entry.name}`;
    if (!entry.isDirectory()) {
      if (overwrite && statAt(toFd, entry.name)?.isDirectory())
        removeAt(toFd, entry.name, { fileCount: 0, bytes: 0 }, checkpoint);
      moveFile(from, to, overwrite);
      continue;
    }
    const there = statAt(toFd, entry.name);
    if (there && !there.isDirectory()) {
      if (!overwrite) continue;
      removeAt(toFd, entry.name, { fileCount: 0, bytes: 0 }, checkpoint);
    }
    if (there?.isDirectory() || !renameDirectory(from, to))
      withDirectoryAt(fromFd, entry.name, (from) =>
        withDirectoryAt(toFd, entry.name, (to) => moveInto(from, to, overwrite, checkpoint)),
      );
  }
}

/** Returns false if a directory of that name exists and is not empty. */
function renameDirectory(from: string, to: string): boolean {
  try {
    fs.renameSync(from, to);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOTEMPTY" || code === "EEXIST") return false;
    throw error;
  }
}

function moveFile(from: string, to: string, overwrite: boolean): void {
  if (overwrite) {
    fs.renameSync(from, to);
    return;
  }
  try {
    fs.linkSync(from, to);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EEXIST") return;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP" && code !== "ENOSYS")
      throw error;
    // A file system without hard links: look, then move. Another writer that creates this very name
    // between the two would lose its file, but to a file of the same kernel.
    if (!fs.lstatSync(to, { throwIfNoEntry: false })) fs.renameSync(from, to);
    return;
  }
  fs.unlinkSync(from);
}

/**
 * Removes, below an open directory, links and the files that a save would take but `names` lacks, and
 * the directories that become empty by that.
 */
export function removeOthers(fd: number, names: Names, checkpoint: Checkpoint): void {
  for (const entry of fs.readdirSync(pathOfHandle(fd), { withFileTypes: true })) {
    checkpoint();
    const kept = names.get(entry.name);
    const isDirectory = entry.isDirectory();
    if (isDirectory ? isTransientDirectory(entry.name) : isTransientFile(entry.name)) continue;
    if (isDirectory && kept !== true) removeOthersIn(fd, entry.name, kept, checkpoint);
    else if (kept === undefined) removeAt(fd, entry.name, { fileCount: 0, bytes: 0 }, checkpoint);
  }
}

function removeOthersIn(
  fd: number,
  name: string,
  kept: Names | undefined,
  checkpoint: Checkpoint,
): void {
  try {
    withDirectoryAt(fd, name, (child) => removeOthers(child, kept ?? new Map(), checkpoint));
    if (!kept) fs.rmdirSync(`${pathOfHandle(fd)}/${name}`);
  } catch (error) {
    // It may hold locks, or another process may have filled or removed it.
    if ((error as NodeJS.ErrnoException).code !== "ENOTEMPTY" && !isGone(error)) throw error;
  }
}

function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP";
}
