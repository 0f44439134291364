import type { BigIntStats } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname, join } from "node:path";
import type { StoredFile } from "../store.ts";
import {
  findNewest,
  isSameVersion,
  listReplaced,
  removeNumberedUpTo,
  removeNumberedVersion,
  versionOf,
} from "./generations.ts";
import type { FileStoreContext } from "./mount/context.ts";
import { syncDirectory } from "./mount/durable-directory.ts";
import { hiddenPath, usePath } from "./mount/hidden-files.ts";
import { renameOver } from "./naming.ts";
import { targetOfNumbered } from "./numbers.ts";

/**
 * Renames the archive of that version to a hidden name; false if the name has another, or none. POSIX
 * cannot rename "only if it is still that file", so this looks before and after, and gives a good
 * archive that came between its name back.
 */
export async function setFileAside(
  context: FileStoreContext,
  target: string,
  version: string,
): Promise<boolean> {
  const moved = await moveAside(context, target, version);
  if (!moved) return false;
  await removeNumberedVersion(target, version);
  await syncDirectory(dirname(target));
  return true;
}

/** Removes a file of an inventory, if it is still the one that was listed. */
export async function removeListed(context: FileStoreContext, file: StoredFile): Promise<boolean> {
  const path = join(context.root, file.path);
  if (file.kind === "archive") return removeArchiveListed(context, path, file);
  const numbered = targetOfNumbered(path);
  if (numbered !== undefined && !(await listReplaced(numbered)).includes(path)) return false;
  const stat = await fs.lstat(path, { bigint: true }).catch(() => undefined);
  if (!stat?.isFile() || Number(stat.size) !== file.bytes) return false;
  if (setDownAt(stat).getTime() !== file.modifiedAt.getTime()) return false;
  await fs.rm(path, { force: true });
  return true;
}

/**
 * When a file came to be where it is, by the file system's clock: the time of its change, which only
 * that sets, or of its modification where that is later.
 */
export function setDownAt({ ctime, mtime }: BigIntStats): Date {
  return ctime > mtime ? ctime : mtime;
}

async function removeArchiveListed(
  context: FileStoreContext,
  target: string,
  { bytes, modifiedAt }: StoredFile,
): Promise<boolean> {
  const newest = await findNewest(target);
  const stat = newest && (await fs.lstat(newest.path, { bigint: true }).catch(() => undefined));
  if (!stat?.isFile() || Number(stat.size) !== bytes) return false;
  if (stat.mtime.getTime() !== modifiedAt.getTime()) return false;
  const moved = await moveAside(context, target, versionOf(stat));
  if (!moved) return false;
  await removeNumberedUpTo(target, moved.stat);
  await fs.rm(moved.path, { force: true });
  await fs.rm(usePath(target), { force: true });
  await syncDirectory(dirname(target));
  return true;
}

/** An archive that has lost its name. */
interface Moved {
  /** Hidden. */
  readonly path: string;
  readonly stat: BigIntStats;
}

async function moveAside(
  { abilitiesAt }: FileStoreContext,
  target: string,
  version: string,
): Promise<Moved | undefined> {
  const newest = await findNewest(target);
  if (!newest) return undefined;
  const { dev } = await fs.stat(dirname(target));
  const abilities = await abilitiesAt(dev, target);
  if (!isSameVersion(newest.version, version, abilities)) return undefined;
  const path = hiddenPath(target, "damaged");
  try {
    await renameOver(newest.path, path);
  } catch (error) {
    // Another caller was faster.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const stat = await fs.lstat(path, { bigint: true });
  if (isSameVersion(versionOf(stat), version, abilities)) return { path, stat };
  await giveBack(path, newest.path);
  await syncDirectory(dirname(target));
  return undefined;
}

async function giveBack(aside: string, path: string): Promise<void> {
  try {
    await fs.link(aside, path);
    await fs.unlink(aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") await fs.unlink(aside);
    else await fs.rename(aside, path);
  }
}
