import * as fs from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { isNamespace, parseArchiveFilename } from "../../domain/cache-id.ts";
import type { Inventory, StoredFile, UsedArchive } from "../store.ts";
import { findNewest, numberedFiles, versionOf } from "./generations.ts";
import { hiddenKindOf, hiddenPath, usedBy, usePath } from "./mount/hidden-files.ts";
import { numberedBy } from "./numbers.ts";

/** A use is noted no more often than that; that an archive was written says as much as a note. */
const noteEveryMs = 6 * 3_600_000;

/**
 * All files of the store at `root`: archives, those that were set aside, and what others left: writers
 * their unfinished files, replaced archives their numbers, removed ones the notes of their use.
 */
export async function listInventory(root: string): Promise<Inventory> {
  const now = new Date(await clockOf(root));
  const files: StoredFile[] = [];
  const addFrom =
    (namespace: string) =>
    async (kind: StoredFile["kind"], name: string, usedAt?: Date): Promise<boolean> => {
      const path = join(namespace, name);
      const listed = await statListed(kind, join(root, path));
      if (!listed) return false;
      const { bytes, modifiedAt } = listed;
      files.push({ kind, path, namespace, bytes, modifiedAt, ...(usedAt ? { usedAt } : {}) });
      return true;
    };
  const entries = await fs.readdir(root, { withFileTypes: true });
  // A clock that was killed lies at the root.
  for (const { name } of entries) if (hiddenKindOf(name)) await addFrom("")("unfinished", name);
  const folders = entries.filter((entry) => entry.isDirectory() && isNamespace(entry.name));
  for (const { name: namespace } of folders) {
    const names = await fs.readdir(join(root, namespace)).catch(() => []);
    const add = addFrom(namespace);
    // One whose writer, or remover, was killed may have a number alone.
    const archives = new Set(names.map((name) => numberedBy(name) ?? name));
    for (const name of archives) {
      if (!parseArchiveFilename(name)) continue;
      const use = await statFileAt(usePath(join(root, namespace, name)));
      if (!(await add("archive", name, use?.mtime)) && use)
        await add("unfinished", basename(usePath(name)));
      for (const path of await replacedFiles(join(root, namespace, name)))
        await add("unfinished", relative(join(root, namespace), path));
    }
    for (const name of names) {
      const kind = hiddenKindOf(name);
      const used = usedBy(name);
      if (kind) await add(kind, name);
      else if (used !== undefined && !archives.has(used)) await add("unfinished", name);
    }
  }
  return { now, files };
}

/** The files of an archive that have a number, and were replaced since. */
async function replacedFiles(target: string): Promise<string[]> {
  try {
    const numbered = await numberedFiles(target);
    const newest = await findNewest(target);
    return numbered.filter(({ version }) => version !== newest?.version).map(({ path }) => path);
  } catch {
    return [];
  }
}

/** What an inventory says of a file, by its kind; undefined where it is gone, or no file. */
export async function statListed(
  kind: StoredFile["kind"],
  path: string,
): Promise<{ bytes: number; modifiedAt: Date; version: string } | undefined> {
  const newest = kind === "archive" ? await findNewest(path).catch(() => undefined) : { path };
  const stat = newest && (await statFileAt(newest.path));
  if (!stat) return undefined;
  // An archive keeps its time of modification while it is set aside, and while it is replaced.
  const isLater = kind !== "archive" && stat.ctimeNs > stat.mtimeNs;
  const modifiedAt = isLater ? stat.ctime : stat.mtime;
  return { bytes: Number(stat.size), modifiedAt, version: versionOf(stat) };
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
export async function noteUseOf(target: string, { modifiedAt }: UsedArchive): Promise<void> {
  if (Date.now() - modifiedAt.getTime() < noteEveryMs) return;
  const path = usePath(target);
  const stat = await statFileAt(path);
  if (stat && Date.now() - stat.mtime.getTime() < noteEveryMs) return;
  // A new file has the file system's own time, and any user of a shared directory may make one.
  const fresh = hiddenPath(target, "partial");
  await fs.writeFile(fresh, "", { flag: "wx", mode: 0o666 });
  await fs.rename(fresh, path).catch(() => fs.rm(fresh, { force: true }));
}
