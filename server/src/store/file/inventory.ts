import * as fs from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { isNamespace, parseArchiveFilename } from "../../domain/cache-id.ts";
import type { Inventory, StoredFile, UsedArchive } from "../store.ts";
import { findNewest, listReplaced } from "./generations.ts";
import { hiddenKindOf, hiddenPath, usePath } from "./mount/hidden-files.ts";
import { targetOfNumbered } from "./numbers.ts";
import { setDownAt } from "./set-aside.ts";

/** A use is noted no more often than that; that an archive was written says as much as a note. */
const noteEveryMs = 6 * 3_600_000;

/** All files of the store at `root`: archives, those that were set aside, and what writers left. */
export async function listInventory(root: string): Promise<Inventory> {
  const now = new Date(await clockOf(root));
  const folders = (await fs.readdir(root, { withFileTypes: true })).filter(
    (entry) => entry.isDirectory() && isNamespace(entry.name),
  );
  const files: StoredFile[] = [];
  for (const { name } of folders)
    for await (const file of listNamespace(join(root, name)))
      files.push({ ...file, path: join(name, file.path), namespace: name });
  return { now, files };
}

/** The files of one namespace, with paths below it. */
async function* listNamespace(directory: string): AsyncGenerator<Omit<StoredFile, "namespace">> {
  const names = await fs.readdir(directory).catch(() => []);
  const archives = new Set<string>();
  for (const name of names) {
    const numbered = targetOfNumbered(join(directory, name));
    if (numbered !== undefined) {
      // A writer that was killed may have left an archive that has a number and no name yet.
      archives.add(basename(numbered));
      for (const path of await listReplaced(numbered).catch(() => []))
        yield* asLeftBehind(path, relative(directory, path), "unfinished");
    } else if (parseArchiveFilename(name)) archives.add(name);
    const kind = hiddenKindOf(name);
    if (kind) yield* asLeftBehind(join(directory, name), name, kind);
  }
  for (const name of archives) {
    if (!parseArchiveFilename(name)) continue;
    const newest = await findNewest(join(directory, name)).catch(() => undefined);
    const stat = newest && (await statFileAt(newest.path));
    if (!stat) continue;
    const use = await statFileAt(usePath(join(directory, name)));
    const times = { modifiedAt: stat.mtime, ...(use ? { usedAt: use.mtime } : {}) };
    yield { kind: "archive", path: name, bytes: Number(stat.size), ...times };
  }
}

async function* asLeftBehind(at: string, path: string, kind: "damaged" | "unfinished") {
  const stat = await statFileAt(at);
  if (stat) yield { kind, path, bytes: Number(stat.size), modifiedAt: setDownAt(stat) };
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
