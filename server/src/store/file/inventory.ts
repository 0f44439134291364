import * as fs from "node:fs/promises";
import { join } from "node:path";
import { isNamespace, parseArchiveFilename } from "../../domain/cache-id.ts";
import type { Inventory, StoredFile } from "../store.ts";
import { hiddenKindOf, hiddenPath, usePath } from "./mount/hidden-files.ts";

/** A use is noted no more often than that. */
const noteEveryMs = 6 * 3_600_000;

/** All files of the store at `root`: archives, those that were set aside, and what writers left. */
export async function listInventory(root: string): Promise<Inventory> {
  const now = new Date(await clockOf(root));
  const files: StoredFile[] = [];
  const folders = (await fs.readdir(root, { withFileTypes: true })).filter(
    (entry) => entry.isDirectory() && isNamespace(entry.name),
  );
  for (const { name: namespace } of folders) {
    const names = await fs.readdir(join(root, namespace)).catch(() => []);
    for (const name of names) {
      const kind = parseArchiveFilename(name) ? "archive" : hiddenKindOf(name);
      const path = join(namespace, name);
      const stat = kind && (await statFileAt(join(root, path)));
      if (!stat) continue;
      const use = kind === "archive" ? await statFileAt(usePath(join(root, path))) : undefined;
      files.push({
        kind,
        path,
        namespace,
        bytes: Number(stat.size),
        modifiedAt: stat.mtime,
        ...(use ? { usedAt: use.mtime } : {}),
      });
    }
  }
  return { now, files };
}

async function statFileAt(path: string) {
  // Of times in nanoseconds Node makes another Date than of those in milliseconds.
  const stat = await fs.lstat(path, { bigint: true }).catch(() => undefined);
  return stat?.isFile() ? stat : undefined;
}

/** The time by the file system's clock, which a new file shows; by this machine's where none can be made. */
async function clockOf(root: string): Promise<number> {
  const path = hiddenPath(join(root, "cache_000000000000.latest.tar.zst"), "partial");
  try {
    const file = await fs.open(path, "wx", 0o600);
    try {
      return (await file.stat()).mtimeMs;
    } finally {
      await file.close();
      await fs.rm(path, { force: true });
    }
  } catch {
    return Date.now();
  }
}

/** Notes the use of the archive `target` beside it, for all daemons. What cannot be noted is no failure. */
export async function noteUseOf(target: string): Promise<void> {
  const path = usePath(target);
  const stat = await statFileAt(path);
  if (stat && Date.now() - stat.mtime.getTime() < noteEveryMs) return;
  // A new file has the file system's own time, and any user of a shared directory may make one.
  const fresh = hiddenPath(target, "partial");
  await fs.writeFile(fresh, "", { flag: "wx", mode: 0o666 });
  await fs.rename(fresh, path).catch(() => fs.rm(fresh, { force: true }));
}
