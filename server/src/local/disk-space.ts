import * as fs from "node:fs";
import { CacheError } from "../domain/cache-error.ts";

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
    bytes: stat.type === tmpfsMagic ? Math.min(bytes, freeCgroupBytes()) : bytes,
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

/** Bytes that this process's cgroups still allow it to write to tmpfs; Infinity without a limit. */
export function freeCgroupBytes(procCgroup = "/proc/self/cgroup", root = "/sys/fs/cgroup"): number {
  let free = Number.POSITIVE_INFINITY;
  for (const line of readText(procCgroup).split("\n")) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (!match) continue;
    const [, controllers, path] = match as unknown as [string, string, string];
    if (controllers === "")
      free = Math.min(free, freeUp(root, path, ["memory.max", "memory.current", "inactive_file"]));
    else if (controllers.split(",").includes("memory"))
      free = Math.min(
        free,
        freeUp(`${root}/memory`, path, [
          "memory.limit_in_bytes",
          "memory.usage_in_bytes",
          "total_inactive_file",
        ]),
      );
  }
  return free;
}

// Limits of the groups above count too. Page cache that can be dropped does not count as used. In a
// container the path may be the host's, while the mount shows only the container's part: then only that
// is read.
function freeUp(
  mount: string,
  path: string,
  [max, current, reclaimable]: [string, string, string],
): number {
  let free = Number.POSITIVE_INFINITY;
  const parts = fs.existsSync(`${mount}${path}`) ? path.split("/").filter(Boolean) : [];
  for (let depth = parts.length; depth >= 0; depth--) {
    const directory = [mount, ...parts.slice(0, depth)].join("/");
    const limit = Number(readText(`${directory}/${max}`).trim() || "max");
    const used = Number(readText(`${directory}/${current}`).trim() || "0");
    if (!Number.isFinite(limit) || limit >= 2 ** 60) continue;
    const stat = new RegExp(`^${reclaimable} (\\d+)$`, "m").exec(
      readText(`${directory}/memory.stat`),
    );
    free = Math.min(free, Math.max(0, limit - used + Number(stat?.[1] ?? 0)));
  }
  return free;
}

function readText(path: string): string {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
