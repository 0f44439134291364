import type * as fs from "node:fs";
import type { ArchiveFormat } from "../../domain/cache-id.ts";
import { type LeftOutFiles, type LeftOutReason, Tally } from "../../domain/left-out.ts";
import type { Profile } from "../../domain/profile.ts";
import { presentOfFiles } from "../../local/file-clock.ts";
import { statAt } from "../../local/tree/entries.ts";
import { portableMode } from "../../local/tree/file-mode.ts";
import { isSame, type ListedFile } from "../../local/tree/listed-file.ts";
import { currentPath, withDirectoryAt } from "../../local/tree/pinned-directory.ts";
import { type Checkpoint, walk } from "../../local/tree/tree.ts";
import { isPackable } from "../format/entry-name.ts";
import { findBundledFolders } from "../torch/bundled-folders.ts";
import { type FileToPack, type PlannedFrame, planFrames } from "./plan.ts";
import { createProfileFilter } from "./profile-filter.ts";

/** What a save takes of a directory, in no particular order and not yet planned. Sizes are in bytes. */
export interface Listing {
  readonly files: FileToPack[];
  /** Files that changed so recently that they may not be finished. */
  readonly young: readonly FileToPack[];
  /** When the last of those will be old enough, in milliseconds since 1970; 0 if there are none. */
  readonly settledAtMs: number;
  /** Of the names in `only`, those whose files no longer exist. */
  readonly gone: readonly string[];
  /** What cannot travel, but for files that change and what the profile leaves out. */
  readonly leftOut: readonly LeftOutFiles[];
  readonly bundled: BundledTotals;
}

/** A listing that is planned for packing. */
export interface ScanResult extends Omit<Listing, "files"> {
  readonly frames: PlannedFrame[];
  readonly bytes: number;
  readonly fileCount: number;
}

/** Kernels that the profile leaves out, because torch writes them again when it needs them. */
export interface BundledTotals {
  readonly fileCount: number;
  readonly bytes: number;
  /** Names of the FX graph entries that torch writes them from: the archive must hold these. */
  readonly holders: readonly string[];
}

/** How old a file must be before it counts as finished, in milliseconds. */
export const settledAfterMs = 2000;

/**
 * Milliseconds to wait until `atMs` has certainly passed: timers drop fractions, and may fire early.
 */
export function pauseUntil(atMs: number): number {
  return Math.max(0, Math.ceil(atMs - Date.now()) + 2);
}

/** Which files of a directory to list. */
export interface ListOptions {
  /** Names to list; absent for all files. */
  readonly only?: readonly string[];
  /**
   * Files that an earlier look, at least `settledAfterMs` ago, found young: one that is still the same
   * is finished, whatever its time.
   */
  readonly seen?: readonly ListedFile[];
  /** Names to leave out because the files changed while an earlier attempt read them. */
  readonly unstable: readonly string[];
  readonly profile: Profile;
  readonly format: ArchiveFormat;
}

/** Lists what a save of an open directory takes, and plans how it is packed. */
export function scanTree(rootFd: number, options: ListOptions, checkpoint: Checkpoint): ScanResult {
  return planListing(listFiles(rootFd, options, checkpoint));
}

/** Lists what a save of an open directory takes. */
export function listFiles(rootFd: number, options: ListOptions, checkpoint: Checkpoint): Listing {
  const unstable = new Set(options.unstable);
  const seen = new Map(options.seen?.map((file) => [file.name, file]));
  const travels = createProfileFilter(options.profile);
  const mayPack = packableBelow(rootFd, options.format);
  // When the job runs, not when it was queued; what is written from here on is young by it.
  const startedAtMs = Date.now();
  const nowMs = presentOfFiles(rootFd);
  const present = { startedAtMs, nowMs };
  const files: FileToPack[] = [];
  const young: FileToPack[] = [];
  const gone: string[] = [];
  const leftOut = new Tally<LeftOutReason>();
  const leaveOut = (reason: LeftOutReason, path: string) => {
    if (travels(path)) leftOut.add(reason, path);
  };
  for (const { name, stat } of options.only ? look(rootFd, options.only) : walk(rootFd, leaveOut)) {
    checkpoint();
    if (unstable.has(name) || !travels(name)) continue;
    if (!stat) gone.push(name);
    else if (!mayPack(name)) leftOut.add("NAME", name);
    else {
      const file = fileToPack(name, stat);
      const before = seen.get(name);
      const isFinished = !isYoung(stat, nowMs) || (before && isSame(stat, before));
      (isFinished ? files : young).push(file);
    }
  }
  const found = { gone, leftOut: leftOut.list() };
  // Files that are looked at again were found not to be bundled the first time.
  if (!options.profile.withoutBundledKernels || options.only)
    return {
      ...listing(files, young, present),
      ...found,
      bundled: { fileCount: 0, bytes: 0, holders: [] },
    };
  const all = [...files, ...young];
  const { names, holders } = findBundledFolders(rootFd, files, all, checkpoint);
  const isLeftOut = ({ name }: FileToPack) => names.has(name);
  const isKept = (file: FileToPack) => !isLeftOut(file);
  const bundled = { fileCount: names.size, bytes: bytesOf(all.filter(isLeftOut)), holders };
  return { ...listing(files.filter(isKept), young.filter(isKept), present), ...found, bundled };
}

/** Whether a name may be packed, and its file can be told from another one when it is read. */
function packableBelow(rootFd: number, format: ArchiveFormat): (name: string) => boolean {
  // The kernel names no open file whose path is longer.
  const mostBytes = longestPath - Buffer.byteLength(currentPath(rootFd));
  return (name) => isPackable(name, format) && Buffer.byteLength(name) < mostBytes;
}

const longestPath = 4095;

function listing(
  files: FileToPack[],
  young: readonly FileToPack[],
  { startedAtMs, nowMs }: { startedAtMs: number; nowMs: number },
) {
  const ageMs = young.reduce((least, { mtimeMs }) => Math.min(least, nowMs - mtimeMs), Infinity);
  // A time ahead is that of another clock, or of a file that was written since: neither is waited for,
  // but the file must stay unchanged from now on.
  const writtenAtMs = ageMs < 0 ? Date.now() : startedAtMs - ageMs;
  return { files, young, settledAtMs: young.length > 0 ? writtenAtMs + settledAfterMs : 0 };
}

/** The sum of the sizes of files, in bytes. */
export function bytesOf(files: readonly ListedFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** Divides the files of a listing into frames. */
export function planListing({ files, ...rest }: Listing): ScanResult {
  let bytes = 0;
  let fileCount = 0;
  for (const file of files) {
    bytes += file.size;
    if (!file.name.endsWith("/")) fileCount += 1;
  }
  return { frames: planFrames(files), bytes, fileCount, ...rest };
}

function* look(rootFd: number, names: readonly string[]) {
  for (const name of names) yield { name, stat: statBelow(rootFd, name.split("/")) };
}

function statBelow(fd: number, parts: string[]): fs.Stats | undefined {
  const [first, ...rest] = parts as [string, ...string[]];
  if (rest.length === 0) {
    const stat = statAt(fd, first);
    return stat?.isFile() ? stat : undefined;
  }
  try {
    return withDirectoryAt(fd, first, (child) => statBelow(child, rest));
  } catch {
    return undefined;
  }
}

/** Whether a file may still be written, as one whose time lies in the future may be, by another clock. */
function isYoung(stat: fs.Stats, nowMs: number): boolean {
  return stat.isFile() && nowMs - stat.mtimeMs < settledAfterMs;
}

function fileToPack(name: string, stat: fs.Stats): FileToPack {
  const directory = name.endsWith("/");
  return {
    name,
    size: directory ? 0 : stat.size,
    mode: directory ? 0o755 : portableMode(stat.mode),
    mtimeMs: stat.mtimeMs,
    ctimeMs: stat.ctimeMs,
    ino: stat.ino,
  };
}
