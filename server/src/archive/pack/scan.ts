import type * as fs from "node:fs";
import type { Profile } from "../../domain/profile.ts";
import { withDirectoryAt } from "../../local/pinned-directory.ts";
import { type Checkpoint, statAt, walk } from "../../local/tree.ts";
import { findBundledFolders } from "../torch/bundled-folders.ts";
import { type FileToPack, type PlannedFrame, planFrames } from "./plan.ts";
import { createProfileFilter } from "./profile-filter.ts";

/** What a save takes of a directory, planned for packing. Sizes are in bytes. */
export interface ScanResult {
  readonly frames: PlannedFrame[];
  readonly bytes: number;
  readonly fileCount: number;
  /** Names of files that changed so recently that they may not be finished. */
  readonly young: string[];
  readonly youngBytes: number;
  /** When the last of those will be old enough, in milliseconds since 1970; 0 if there are none. */
  readonly settledAtMs: number;
  /** Of the names in `only`, those whose files no longer exist. */
  readonly gone: string[];
  readonly bundled: BundledTotals;
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

/** What a save takes of a directory, in no particular order and not yet planned. */
export interface Listing {
  readonly files: FileToPack[];
  readonly young: string[];
  readonly youngBytes: number;
  readonly settledAtMs: number;
  readonly gone: string[];
  readonly bundled: BundledTotals;
}

/** Which files of a directory to list. */
export interface ListOptions {
  /** The present, in milliseconds since 1970: files that changed just before it count as young. */
  readonly nowMs: number;
  /** Names to list; absent for all files. */
  readonly only?: readonly string[];
  /** Names to leave out because the files changed while an earlier attempt read them. */
  readonly unstable: readonly string[];
  readonly profile: Profile;
}

/** Lists what a save of an open directory takes, and plans how it is packed. */
export function scanTree(rootFd: number, options: ListOptions, checkpoint: Checkpoint): ScanResult {
  return planListing(listFiles(rootFd, options, checkpoint));
}

/** Lists what a save of an open directory takes. */
export function listFiles(rootFd: number, options: ListOptions, checkpoint: Checkpoint): Listing {
  const unstable = new Set(options.unstable);
  const travels = createProfileFilter(options.profile);
  const files: FileToPack[] = [];
  const young: FileToPack[] = [];
  const gone: string[] = [];
  for (const { name, stat } of options.only ? look(rootFd, options.only) : walk(rootFd)) {
    checkpoint();
    if (unstable.has(name) || !travels(name)) continue;
    if (!stat) gone.push(name);
    else (isYoung(stat, options.nowMs) ? young : files).push(fileToPack(name, stat));
  }
  // Files that are looked at again were found not to be bundled the first time.
  if (!options.profile.withoutBundledKernels || options.only)
    return { ...listing(files, young), gone, bundled: { fileCount: 0, bytes: 0, holders: [] } };
  const all = [...files, ...young];
  const { names, holders } = findBundledFolders(rootFd, files, all, checkpoint);
  const isLeftOut = ({ name }: FileToPack) => names.has(name);
  const isKept = (file: FileToPack) => !isLeftOut(file);
  const bundled = { fileCount: names.size, bytes: bytesOf(all.filter(isLeftOut)), holders };
  return { ...listing(files.filter(isKept), young.filter(isKept)), gone, bundled };
}

function listing(files: FileToPack[], young: readonly FileToPack[]) {
  return {
    files,
    young: young.map(({ name }) => name),
    youngBytes: bytesOf(young),
    settledAtMs: young.reduce((last, { mtimeMs }) => Math.max(last, mtimeMs + settledAfterMs), 0),
  };
}

function bytesOf(files: readonly FileToPack[]): number {
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

function isYoung(stat: fs.Stats, nowMs: number): boolean {
  const ageMs = nowMs - stat.mtimeMs;
  // A time far in the future comes from another clock; the file is not being written now.
  return stat.isFile() && ageMs < settledAfterMs && ageMs > -settledAfterMs;
}

function fileToPack(name: string, stat: fs.Stats): FileToPack {
  const directory = name.endsWith("/");
  return {
    name,
    size: directory ? 0 : stat.size,
    mode: directory || stat.mode & 0o111 ? 0o755 : 0o644,
    mtimeMs: stat.mtimeMs,
    ctimeMs: stat.ctimeMs,
    ino: stat.ino,
  };
}
