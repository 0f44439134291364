import * as fs from "node:fs";
import { CacheError } from "../../domain/cache-error.ts";
import { cgroupMemory } from "./cgroup-memory.ts";

const tmpfsMagic = 0x01021994;
const marginBytes = 4 * 1024 * 1024;

/**
 * Network file systems report blocks as large as their largest transfer, but small files do not fill
 * them.
 */
const maxWastedBytes = 4096;

/**
 * Room that is left on a file system; on tmpfs, no more than the memory that is left to this cgroup.
 */
export interface FreeSpace {
  readonly bytes: number;
  /** Infinity where the file system does not count inodes. */
  readonly inodes: number;
  readonly blockBytes: number;
}

/** Free space on the file system of `path`. */
export function freeSpace(path: string): FreeSpace {
  const stat = fs.statfsSync(path);
  const bytes = stat.bavail * stat.bsize;
  return {
    bytes: stat.type === tmpfsMagic ? Math.min(bytes, cgroupMemory().freeBytes) : bytes,
    inodes: stat.files === 0 ? Number.POSITIVE_INFINITY : stat.ffree,
    blockBytes: stat.bsize,
  };
}

/**
 * Requires room on the file system of `path` for `fileCount` files of `bytes` bytes in total, with a
 * partly empty block for each and a margin of 4 MiB. The message names the directory `shownAs`. Throws
 * INSUFFICIENT_SPACE.
 */
export function requireSpace(
  path: string,
  shownAs: string,
  bytes: number,
  fileCount: number,
): void {
  const free = freeSpace(path);
  const needed = bytes + fileCount * Math.min(free.blockBytes, maxWastedBytes) + marginBytes;
  if (free.bytes < needed)
    throw new CacheError(
      "INSUFFICIENT_SPACE",
      `${shownAs} has ${mebibytes(free.bytes)} free, and ${mebibytes(needed)} are needed`,
    );
  if (free.inodes < fileCount)
    throw new CacheError(
      "INSUFFICIENT_SPACE",
      `${shownAs} has ${free.inodes} inodes free, and ${fileCount} are needed`,
    );
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1048576).toFixed(bytes < 104857600 ? 1 : 0)} MiB`;
}
