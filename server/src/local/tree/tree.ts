import * as fs from "node:fs";
import type { LeftOutReason } from "../../domain/left-out.ts";
import { anyEntriesIn, isDenied, isEntryFault, isGone, namesIn, textOf, twice } from "./entries.ts";
import { type EntryName, openDirectoryAt, pathAt } from "./pinned-directory.ts";
import { isSystemDirectory, isTransientDirectory, isTransientFile } from "./transient-names.ts";

// Synchronous work on directory trees, for worker threads. It reaches everything through open
// directories.

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

/**
 * Is told of each file that a walk leaves out: why, and its path below the root. A directory that
 * cannot be listed, or lies too deep, counts as one file.
 */
export type LeaveOut = (reason: LeftOutReason, path: string) => void;

/** What lies below a path of this length cannot be opened by its path. */
const maxNameLength = 4096;

/**
 * Walks the files and empty directories below an open directory that a save would take. Leaves out
 * names that are never saved or are not UTF-8, links, other kinds of file, and what cannot be read.
 * Throws only where the open directory itself cannot be listed.
 */
export function* walk(fd: number, leaveOut?: LeaveOut): Generator<WalkEntry> {
  yield* walkNames(fd, namesIn(fd), "", { leaveOut, ownerAlone: ownerAlone(fd) });
}

/** What all directories of a walk share. */
interface Walk {
  readonly leaveOut: LeaveOut | undefined;
  /** The one whose files alone may be taken. */
  readonly ownerAlone: number | undefined;
}

/**
 * The owner whose files alone a process of root takes from an open directory: it could read any, and
 * others may have linked or moved files there that are none of theirs.
 */
export function ownerAlone(fd: number): number | undefined {
  return process.geteuid?.() === 0 ? fs.fstatSync(fd).uid : undefined;
}

function* walkNames(
  fd: number,
  names: readonly EntryName[],
  prefix: string,
  walk: Walk,
): Generator<WalkEntry> {
  const { leaveOut } = walk;
  for (const { name, stat } of anyEntriesIn(fd, names)) {
    const path = prefix + textOf(name);
    const isDirectory = stat?.isDirectory() ?? false;
    const reason = isDirectory ? whyNoDirectory(name) : whyNoFile(fd, name, stat, walk);
    if (isDirectory && reason) leaveOutBelow(fd, name, path, reason, leaveOut);
    else if (isDirectory) yield* walkDirectory(fd, name, `${path}/`, walk);
    else if (reason) leaveOut?.(reason, path);
    else if (stat) yield { name: path, stat };
  }
}

function* walkDirectory(
  parentFd: number,
  name: EntryName,
  path: string,
  walk: Walk,
): Generator<WalkEntry> {
  const opened = openToList(parentFd, name, path, walk.leaveOut);
  if (!opened) return;
  const { fd, names } = opened;
  try {
    if (names.length === 0) yield { name: path, stat: fs.fstatSync(fd) };
    else yield* walkNames(fd, names, path, walk);
  } finally {
    fs.closeSync(fd);
  }
}

/** Leaves out all files below a directory, for the reason that the directory has. */
function leaveOutBelow(
  parentFd: number,
  name: EntryName,
  path: string,
  reason: LeftOutReason,
  leaveOut: LeaveOut | undefined,
): void {
  if (!leaveOut) return;
  const opened = openToList(parentFd, name, `${path}/`, leaveOut);
  if (!opened) return;
  const { fd, names } = opened;
  try {
    for (const { name, stat } of anyEntriesIn(fd, names)) {
      const below = `${path}/${textOf(name)}`;
      if (stat?.isDirectory()) leaveOutBelow(fd, name, below, reason, leaveOut);
      else leaveOut(reason, below);
    }
  } finally {
    fs.closeSync(fd);
  }
}

/** Opens a directory on a walk, and lists it; undefined if it is gone, or is left out. */
function openToList(
  parentFd: number,
  name: EntryName,
  path: string,
  leaveOut: LeaveOut | undefined,
): { fd: number; names: EntryName[] } | undefined {
  if (Buffer.byteLength(path) > maxNameLength) {
    leaveOut?.("NAME", path);
    return undefined;
  }
  let opened: number | undefined;
  try {
    const fd = twice(() => openDirectoryAt(parentFd, name));
    opened = fd;
    return { fd, names: twice(() => namesIn(fd)) };
  } catch (error) {
    if (opened !== undefined) fs.closeSync(opened);
    if (!isEntryFault(error)) throw error;
    if (!isGone(error)) leaveOut?.("UNREADABLE", path);
    return undefined;
  }
}

/** A name for the patterns of names: one that is not UTF-8 with a character for each byte. */
function nameToMatch(name: EntryName): string {
  return typeof name === "string" ? name : Buffer.from(name).toString("latin1");
}

function whyNoDirectory(name: EntryName): LeftOutReason | undefined {
  const plain = nameToMatch(name);
  if (isTransientDirectory(plain) || isSystemDirectory(plain)) return "TEMPORARY";
  return typeof name === "string" ? undefined : "NAME";
}

function whyNoFile(
  fd: number,
  name: EntryName,
  stat: fs.Stats | undefined,
  { ownerAlone }: Walk,
): LeftOutReason | undefined {
  // First by name: an editor's lock is a link.
  if (isTransientFile(nameToMatch(name))) return "TEMPORARY";
  if (!stat) return "UNREADABLE";
  if (stat.isSymbolicLink()) return "LINK";
  if (!stat.isFile()) return "SPECIAL";
  if (typeof name !== "string") return "NAME";
  if (ownerAlone !== undefined && stat.nlink > 1) return "LINK";
  if (ownerAlone !== undefined && stat.uid !== ownerAlone) return "UNREADABLE";
  return mayRead(fd, name, stat) ? undefined : "UNREADABLE";
}

function mayRead(fd: number, name: string, stat: fs.Stats): boolean {
  if ((stat.mode & 0o444) === 0o444) return true;
  try {
    fs.accessSync(pathAt(fd, name), fs.constants.R_OK);
    return true;
  } catch (error) {
    // Any other fault is left to who reads it.
    return !isDenied(error);
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
