import { randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import { basename, dirname, join } from "node:path";

const hiddenName =
  /^\.cache_[0-9a-f]{12}\.latest\.tar\.(?:zst|gz)\.[0-9a-f]{12}\.(?<kind>partial|damaged)$/;

/** The kind of a hidden file by its name; undefined for any other name. */
export function hiddenKindOf(name: string): "damaged" | "unfinished" | undefined {
  const { kind } = hiddenName.exec(name)?.groups ?? {};
  if (kind === undefined) return undefined;
  return kind === "damaged" ? "damaged" : "unfinished";
}

/** The file whose time says when an archive was last loaded. */
export function usePath(target: string): string {
  return join(dirname(target), `.${basename(target)}.used`);
}

/** The archive whose use a file of that name notes; undefined for any other name. */
export function usedBy(name: string): string | undefined {
  return /^\.(cache_[0-9a-f]{12}\.latest\.tar\.(?:zst|gz))\.used$/.exec(name)?.[1];
}

/** A process that writes a file does so more often; a damaged archive is kept for whoever looks into it. */
const keptForMs: Record<string, number> = { partial: 3_600_000, damaged: 7 * 24 * 3_600_000 };

/** A new path beside an archive's, for what no reader may see: an unfinished file, or a damaged one. */
export function hiddenPath(target: string, kind: "partial" | "damaged"): string {
  const random = randomBytes(6).toString("hex");
  return join(dirname(target), `.${basename(target)}.${random}.${kind}`);
}

/**
 * Removes unfinished files that were last written to over an hour ago, and damaged ones that were set
 * aside over a week ago, by the file system's clock: by the later of the times of change, which only it
 * sets, and of modification. (For a moment, NFSv3 gives a new file a modification time that means
 * nothing, and some file systems know no time of change.) What cannot be removed, such as another
 * user's file, stays and does no harm.
 */
export async function sweepHiddenFiles(directory: string, nowMs: number): Promise<void> {
  for (const name of await fs.readdir(directory).catch(() => [])) {
    const { kind = "" } = hiddenName.exec(name)?.groups ?? {};
    const keptMs = keptForMs[kind];
    if (keptMs === undefined) continue;
    const path = join(directory, name);
    const stat = await fs.lstat(path).catch(() => undefined);
    if (stat && nowMs - Math.max(stat.ctimeMs, stat.mtimeMs) > keptMs)
      await fs.rm(path, { force: true }).catch(() => {});
  }
}
