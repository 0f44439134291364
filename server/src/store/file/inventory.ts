import * as fs from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { parseArchiveFilename } from "../../domain/cache-id.ts";
import { namespaceOfFolder } from "../../domain/namespace.ts";
import type { Inventory, StoredFile, UsedArchive } from "../store.ts";
import { findNewest, numberedFiles, versionOf } from "./generations.ts";
import { hiddenKindOf, hiddenPath, usedBy, usePath } from "./mount/hidden-files.ts";
import { refreshNames } from "./mount/nfs-looks.ts";
import { folderOf, numberedBy } from "./numbers.ts";

/** A use is noted no more often than that. */
const noteEveryMs = 6 * 3_600_000;

/** How many files one call of the file system looks at: a call has a deadline, which a whole store may not keep. */
const filesInACall = 64;

/**
 * All files of the store at `root`: archives, those that were set aside, and what others left: writers
 * their unfinished files, replaced archives their numbers, removed ones the notes of their use. One look
 * at each file, `filesInACall` at a time by a `call`.
 */
export async function listInventory(
  root: string,
  call: <T>(body: () => Promise<T>) => Promise<T>,
): Promise<Inventory> {
  const now = new Date(await call(() => clockOf(root)));
  const entries = await call(() => fs.readdir(root, { withFileTypes: true }));
  const files: StoredFile[] = [];
  const lookAt = async (namespace: string, directory: string, names: readonly string[]) => {
    const looks = looksAt(directory, names);
    for (let from = 0; from < looks.length; from += filesInACall) {
      const some = looks.slice(from, from + filesInACall);
      const found = await call(() => Promise.all(some.map((look) => look())));
      for (const { path, ...file } of found.flat())
        files.push({ ...file, namespace, path: relative(root, path) });
    }
  };
  // A clock that was killed lies at the root.
  await lookAt(
    "",
    root,
    entries.map(({ name }) => name).filter((name) => hiddenKindOf(name)),
  );
  for (const folder of entries.filter((entry) => entry.isDirectory())) {
    const namespace = namespaceOfFolder(folder.name);
    if (namespace === undefined) continue;
    const directory = join(root, folder.name);
    await lookAt(namespace, directory, await call(() => namesIn(directory)));
  }
  return { now, files };
}

async function namesIn(directory: string): Promise<string[]> {
  await refreshNames(directory);
  return fs.readdir(directory).catch(() => []);
}

type Found = Omit<StoredFile, "namespace">;

/** What is to be looked at in a directory that holds these names. */
function looksAt(directory: string, names: readonly string[]): (() => Promise<Found[]>)[] {
  const there = new Set(names);
  // One whose writer, or remover, was killed may have a number alone.
  const archives = new Set(names.map((name) => numberedBy(name) ?? name));
  return [
    ...[...archives].filter(parseArchiveFilename).map((name) => () => {
      const isNumbered = there.has(basename(folderOf(name)));
      const isNoted = there.has(basename(usePath(name)));
      return lookAtArchive(join(directory, name), { isNumbered, isNoted });
    }),
    ...names.flatMap((name) => {
      const used = usedBy(name);
      const isOfNone = used !== undefined && !archives.has(used);
      const kind = isOfNone ? "unfinished" : hiddenKindOf(name);
      return kind ? [() => lookAtFile(kind, join(directory, name))] : [];
    }),
  ];
}

async function lookAtArchive(
  path: string,
  { isNumbered, isNoted }: { isNumbered: boolean; isNoted: boolean },
): Promise<Found[]> {
  const seen = await (isNumbered ? statListed("archive", path) : statUnnumbered(path));
  const use = isNoted ? await statFileAt(usePath(path)) : undefined;
  const left = [
    ...(use && !seen ? [usePath(path)] : []),
    ...(isNumbered ? await replacedFiles(path) : []),
  ];
  const usedAt = use ? { usedAt: use.mtime } : {};
  return [
    ...(seen ? [{ ...foundAt("archive", path, seen), ...usedAt }] : []),
    ...(await Promise.all(left.map((path) => lookAtFile("unfinished", path)))).flat(),
  ];
}

async function lookAtFile(kind: StoredFile["kind"], path: string): Promise<Found[]> {
  const seen = await statListed(kind, path);
  return seen ? [foundAt(kind, path, seen)] : [];
}

/** What a look at a file tells. */
interface Seen {
  readonly bytes: number;
  readonly modifiedAt: Date;
  readonly version: string;
}

function foundAt(kind: StoredFile["kind"], path: string, { bytes, modifiedAt }: Seen): Found {
  return { kind, path, bytes, modifiedAt };
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
): Promise<Seen | undefined> {
  if (kind === "archive") {
    const newest = await findNewest(path).catch(() => undefined);
    return newest && statUnnumbered(newest.path);
  }
  const stat = await statFileAt(path);
  if (!stat) return undefined;
  // An archive keeps its time of modification while it is set aside, and while it is replaced.
  const modifiedAt = stat.ctimeNs > stat.mtimeNs ? stat.ctime : stat.mtime;
  return { bytes: Number(stat.size), modifiedAt, version: versionOf(stat) };
}

/** The same for an archive that has no number. */
async function statUnnumbered(path: string): Promise<Seen | undefined> {
  const stat = await statFileAt(path);
  return stat && { bytes: Number(stat.size), modifiedAt: stat.mtime, version: versionOf(stat) };
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

/** Whether the use of an archive is worth a note: that it was written lately says as much. */
export function isNoteDue({ modifiedAt }: UsedArchive): boolean {
  return Date.now() - modifiedAt.getTime() >= noteEveryMs;
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
