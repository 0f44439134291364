import { randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import { basename, dirname, join } from "node:path";

const partialName = /^\.cache_[0-9a-f]{12}\.latest\.tar\.(zst|gz)\.[0-9a-f]{12}\.partial$/;
const abandonedAfterMs = 3_600_000;

/** A new path beside an archive's, for what no reader may see: an unfinished file, or a damaged one. */
export function hiddenPath(target: string, kind: "partial" | "damaged"): string {
  const random = randomBytes(6).toString("hex");
  return join(dirname(target), `.${basename(target)}.${random}.${kind}`);
}

/**
 * Removes unfinished files that were last written to over an hour ago, by the file system's clock: by
 * the time of change, which only it sets. (For a moment, NFSv3 gives a new file a modification time
 * that means nothing.) What cannot be removed, such as another user's file, stays and does no harm.
 */
export async function sweepPartials(directory: string, nowMs: number): Promise<void> {
  for (const name of await fs.readdir(directory).catch(() => [])) {
    if (!partialName.test(name)) continue;
    const path = join(directory, name);
    const stat = await fs.stat(path).catch(() => undefined);
    if (stat && nowMs - stat.ctimeMs > abandonedAfterMs)
      await fs.rm(path, { force: true }).catch(() => {});
  }
}
