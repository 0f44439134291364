import { createHash } from "node:crypto";
import { type Limits, tooLarge } from "../../domain/limits.ts";
import type { RootPaths } from "../../domain/root-paths.ts";
import { type ListedFile, readPieces, withListedFile } from "../../local/tree/listed-file.ts";
import { currentPath } from "../../local/tree/pinned-directory.ts";
import type { Checkpoint } from "../../local/tree/tree.ts";
import { decodeIndexSection, type FileRecord } from "../format/file-index.ts";
import { relocateContent, relocatedKind } from "../torch/relocate-content.ts";
import { changesNothing, type Relocation, relocationBetween } from "../torch/relocation.ts";
import { type ListOptions, listFiles, planListing, type ScanResult } from "./scan.ts";

/** A stored file, or its part in one frame, that a newer version replaces. */
export interface Superseded {
  readonly name: string;
  /** Bytes of the file in that frame. */
  readonly bytes: number;
  /** Whether the file starts in that frame. */
  readonly starts: boolean;
}

/** A frame of a stored cache, as far as a comparison needs it. */
export interface StoredFrame {
  /** Its section of the file index. */
  readonly section: Uint8Array;
  /** Size of its tar stream. */
  readonly contentBytes: number;
  /** Names of the files in it that are out of date. */
  readonly superseded: readonly string[];
  /** The directory that its files were saved from. */
  readonly savedFrom: RootPaths;
}

/** How much a stored cache may list. */
export type CompareLimits = Pick<Limits, "maxFileCount">;

/** How a directory differs from a stored cache. */
export interface Comparison {
  /** Files of the directory that the cache lacks or has with other content, planned for packing. */
  readonly fresh: ScanResult;
  /** How many of those have names that the cache lacks, and their bytes. */
  readonly newFiles: number;
  readonly newBytes: number;
  /** Stored files that have other content in the directory, by frame of the cache. */
  readonly superseded: readonly (readonly Superseded[])[];
  /** Number of stored files that the directory lacks, or that the profile leaves out. */
  readonly absent: number;
  /** Whether all stored files were saved from this very directory, by its path. */
  readonly isOfThisDirectory: boolean;
  /** A stored file that works only in the directory that it was saved from, if that is another. */
  readonly tied?: string;
}

/**
 * Compares an open directory with the file index of a stored cache, which has one section for each
 * frame. A file of the same size and time (to the second) counts as the same; if the time differs, its
 * content decides. Paths that a load rewrote are rewritten back before the comparison.
 */
export function compareTree(
  rootFd: number,
  options: ListOptions & {
    readonly root: RootPaths;
    readonly stored: readonly StoredFrame[];
    readonly limits: CompareLimits;
  },
  checkpoint: Checkpoint,
): Comparison {
  const stored = storedFiles(options.stored, options.limits, checkpoint);
  const backs = options.stored.map(({ savedFrom }) => relocationBetween(options.root, savedFrom));
  const tied = findTied(stored, backs);
  const listed = listFiles(rootFd, options, checkpoint);
  const root = { fd: rootFd, path: currentPath(rootFd) };
  const seen = new Set<string>();
  const superseded: Superseded[][] = options.stored.map(() => []);
  let newFiles = 0;
  let newBytes = 0;
  const fresh = listed.files.filter((file) => {
    checkpoint();
    const parts = stored.get(file.name);
    if (!parts) {
      if (!file.name.endsWith("/")) newFiles += 1;
      newBytes += file.size;
      return true;
    }
    seen.add(file.name);
    const [first] = parts as [StoredPart];
    const back = backs[first.frame];
    if (isSameContent(root, file, parts, back, checkpoint)) return false;
    for (const { frame, record } of parts)
      superseded[frame]?.push({
        name: file.name,
        bytes: record.length ?? record.size,
        starts: (record.start ?? 0) === 0,
      });
    return true;
  });
  for (const { name } of listed.young) seen.add(name);
  let absent = 0;
  // Files that the profile leaves out count too: another save found them worth storing.
  for (const name of stored.keys()) if (!seen.has(name) && !name.endsWith("/")) absent += 1;
  return {
    fresh: planListing({ ...listed, files: fresh }),
    newFiles,
    newBytes,
    superseded,
    absent,
    isOfThisDirectory: backs.every(changesNothing),
    ...(tied === undefined ? {} : { tied }),
  };
}

/** A stored file that works only in another directory than this. */
function findTied(
  stored: ReadonlyMap<string, readonly StoredPart[]>,
  backs: readonly Relocation[],
): string | undefined {
  for (const [name, parts] of stored)
    for (const { frame, record } of parts)
      if (relocatedKind(record, backs[frame] as Relocation) === "FIXED") return name;
  return undefined;
}

interface StoredPart {
  readonly frame: number;
  readonly record: FileRecord;
}

/** Throws CACHE_TOO_LARGE if there are more files and directories than two caches may have. */
function storedFiles(
  frames: readonly StoredFrame[],
  limits: CompareLimits,
  checkpoint: Checkpoint,
): Map<string, StoredPart[]> {
  const files = new Map<string, StoredPart[]>();
  frames.forEach(({ section, contentBytes, superseded }, frame) => {
    const gone = new Set(superseded);
    for (const record of decodeIndexSection(section, contentBytes, checkpoint)) {
      if (gone.has(record.name)) continue;
      const parts = files.get(record.name);
      if (parts) parts.push({ frame, record });
      else files.set(record.name, [{ frame, record }]);
    }
    if (files.size > 2 * limits.maxFileCount)
      throw tooLarge(
        limits,
        "maxFileCount",
        "the stored cache lists",
        "files, and as many directories",
      );
  });
  return files;
}

function isSameContent(
  root: { readonly fd: number; readonly path: string },
  file: ListedFile,
  parts: readonly StoredPart[],
  back: Relocation | undefined,
  checkpoint: Checkpoint,
): boolean {
  const [first] = parts as [StoredPart];
  if (file.name.endsWith("/")) return true;
  const isSameTime = Math.floor(file.mtimeMs / 1000) === first.record.mtime;
  const mayDiffer = back !== undefined && relocatedKind(first.record, back) !== undefined;
  if (!mayDiffer && (isSameTime || file.size !== first.record.size))
    return file.size === first.record.size;
  const isSame = withListedFile(root.fd, root.path, file, (fd) => {
    const relocated = mayDiffer
      ? relocateContent(fd, { ...first.record, size: file.size }, back, checkpoint)
      : undefined;
    const size = relocated?.size ?? file.size;
    if (size !== first.record.size || isSameTime) return size === first.record.size;
    return hasDigests(relocated?.pieces() ?? readPieces(fd, 0, size, checkpoint), parts);
  });
  // A file that has changed since it was listed is left to packing, which looks at it again.
  return isSame ?? false;
}

/** Whether the parts of a file's content have the digests of the stored parts, in order. */
function hasDigests(pieces: Iterable<Uint8Array>, parts: readonly StoredPart[]): boolean {
  const lengths = parts.map(({ record }) => record.length ?? record.size);
  const digests = lengths.map(() => createHash("sha256"));
  let part = 0;
  let done = 0;
  for (const piece of pieces)
    for (let at = 0; at < piece.length; ) {
      while (part < lengths.length && done === lengths[part]) {
        part += 1;
        done = 0;
      }
      const length = Math.min(piece.length - at, (lengths[part] ?? 0) - done);
      if (length <= 0) return false;
      digests[part]?.update(piece.subarray(at, at + length));
      at += length;
      done += length;
    }
  return parts.every(
    ({ record }, i) => digests[i]?.digest().subarray(0, 16).toString("base64") === record.digest,
  );
}
