import type * as fs from "node:fs";
import { extname } from "node:path";
import type { Profile } from "../../domain/profile.ts";
import { withDirectoryAt } from "../../local/pinned-directory.ts";
import { type Checkpoint, statAt, walk } from "../../local/tree.ts";
import { frameContentBytes } from "../format/format.ts";
import { tarHeaderBytes, tarPadding } from "../format/tar-header.ts";
import { findBundledFolders } from "../torch/bundled-folders.ts";
import { createProfileFilter } from "./profile-filter.ts";

/** A file, or an empty directory (its name ends in `/`), as it was when it was listed. */
export interface FileToPack {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly ino: number;
}

/** A part of a file that goes into one frame: the whole file, but for large ones. */
export interface PartToPack {
  readonly file: FileToPack;
  readonly start: number;
  readonly length: number;
  /** The part's share of the tar stream: header, content and padding. */
  readonly tarBytes: number;
}

/** What goes into one frame. */
export type FramePlan = readonly PartToPack[];

/** A plan as it travels between threads, without anybody looking into it. */
export interface PlannedFrame {
  /** JSON of a FramePlan. */
  readonly plan: Uint8Array;
  readonly bytes: number;
}

export interface ScanResult {
  readonly frames: PlannedFrame[];
  readonly bytes: number;
  readonly fileCount: number;
  /** Files that are too young to be finished. */
  readonly young: string[];
  readonly youngBytes: number;
  /** When the last of those will be old enough, in milliseconds since 1970; 0 if there are none. */
  readonly settledAtMs: number;
  /** Files that had been named but are gone. */
  readonly gone: string[];
  readonly bundled: BundledTotals;
}

/** Kernels that the profile leaves out, because torch writes them anew. */
export interface BundledTotals {
  readonly fileCount: number;
  readonly bytes: number;
  /** The FX graph entries that hold them: without these, they would be missed. */
  readonly holders: readonly string[];
}

/** How old a file must be before it counts as finished. */
export const settledAfterMs = 2000;

/** Milliseconds to wait until `atMs` has surely passed: a timer drops fractions, and may be early. */
export function pauseUntil(atMs: number): number {
  return Math.max(0, Math.ceil(atMs - Date.now()) + 2);
}

/** What a save takes of a directory, in no order. */
export interface Listing {
  readonly files: FileToPack[];
  readonly young: string[];
  readonly youngBytes: number;
  readonly settledAtMs: number;
  readonly gone: string[];
  readonly bundled: BundledTotals;
}

/** What to list: all, or the names in `only`. */
export interface ListOptions {
  readonly nowMs: number;
  readonly only?: readonly string[];
  readonly exclude: readonly string[];
  readonly profile: Profile;
}

/** Lists what a save of an open directory takes, and plans how it is packed. */
export function scanTree(rootFd: number, options: ListOptions, checkpoint: Checkpoint): ScanResult {
  return planScan(listFiles(rootFd, options, checkpoint));
}

/** Lists what a save of an open directory takes. */
export function listFiles(rootFd: number, options: ListOptions, checkpoint: Checkpoint): Listing {
  const exclude = new Set(options.exclude);
  const travels = createProfileFilter(options.profile);
  const files: FileToPack[] = [];
  const young: FileToPack[] = [];
  const gone: string[] = [];
  for (const { name, stat } of options.only ? look(rootFd, options.only) : walk(rootFd)) {
    checkpoint();
    if (exclude.has(name) || !travels(name)) continue;
    if (!stat) gone.push(name);
    else (isYoung(stat, options.nowMs) ? young : files).push(fileToPack(name, stat));
  }
  // Names that are looked at again were not among those.
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

/**
 * Puts files into the order that compresses best (by extension, then size: like lies by like), and
 * cuts them into frames.
 */
export function planScan({ files, ...rest }: Listing): ScanResult {
  let bytes = 0;
  let fileCount = 0;
  for (const file of files) {
    bytes += file.size;
    if (!file.name.endsWith("/")) fileCount += 1;
  }
  return { frames: planFrames(sortByLikeness(files)), bytes, fileCount, ...rest };
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
  // A time far ahead is another clock's, not a file that is being written.
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

/** By extension, then size, then name. */
function sortByLikeness(files: readonly FileToPack[]): FileToPack[] {
  const keyed = files.map((file) => ({ file, extension: extname(file.name) }));
  keyed.sort((a, b) => {
    if (a.extension !== b.extension) return a.extension < b.extension ? -1 : 1;
    if (a.file.size !== b.file.size) return a.file.size - b.file.size;
    return a.file.name < b.file.name ? -1 : 1;
  });
  return keyed.map(({ file }) => file);
}

function partOf(file: FileToPack, start: number, length: number): PartToPack {
  const header = start === 0 ? tarHeaderBytes(tarEntryOf(file)) : 0;
  const padding = start + length === file.size ? tarPadding(file.size) : 0;
  return { file, start, length, tarBytes: header + length + padding };
}

export function tarEntryOf(file: FileToPack) {
  return {
    name: file.name,
    size: file.size,
    mode: file.mode,
    mtime: Math.max(0, Math.floor(file.mtimeMs / 1000)),
  };
}

// A header and its file start in the same frame, and a large file goes on in frames of its own.
function planFrames(files: readonly FileToPack[]): PlannedFrame[] {
  const frames: PlannedFrame[] = [];
  let parts: PartToPack[] = [];
  let room = frameContentBytes;
  let bytes = 0;
  const close = () => {
    if (parts.length > 0) frames.push({ plan: Buffer.from(JSON.stringify(parts)), bytes });
    parts = [];
    room = frameContentBytes;
    bytes = 0;
  };
  const add = (part: PartToPack) => {
    parts.push(part);
    room -= part.tarBytes;
    bytes += part.length;
  };
  for (const file of files) {
    const whole = partOf(file, 0, file.size);
    if (whole.tarBytes > room) close();
    if (whole.tarBytes <= frameContentBytes) {
      add(whole);
      continue;
    }
    // Leave room for the header and the padding.
    const partBytes = frameContentBytes - 16 * 1024;
    for (let start = 0; start < file.size; start += partBytes) {
      add(partOf(file, start, Math.min(partBytes, file.size - start)));
      close();
    }
  }
  close();
  return frames;
}
