import * as fs from "node:fs/promises";
import { dirname, join } from "node:path";
import type { StoredFile } from "../store.ts";
import { findNewest, isSameVersion, removeNumberedVersion, versionOf } from "./generations.ts";
import type { FileStoreContext } from "./mount/context.ts";
import { syncDirectory } from "./mount/durable-directory.ts";
import { hiddenPath, usePath } from "./mount/hidden-files.ts";
import { renameOver } from "./naming.ts";

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
  return (await moveAside(context, target, version)) !== undefined;
}

/** Does that; returns the hidden path. */
async function moveAside(
  { abilitiesAt }: FileStoreContext,
  target: string,
  version: string,
): Promise<string | undefined> {
  const newest = await findNewest(target);
  if (!newest) return undefined;
  const { dev } = await fs.stat(dirname(target));
  const abilities = await abilitiesAt(dev, target);
  if (!isSameVersion(newest.version, version, abilities)) return undefined;
  const aside = hiddenPath(target, "damaged");
  try {
    await renameOver(newest.path, aside);
  } catch (error) {
    // Another caller was faster.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const found = versionOf(await fs.lstat(aside, { bigint: true }));
  const isThatVery = isSameVersion(found, version, abilities);
  if (isThatVery) await removeNumberedVersion(target, version);
  else await giveBack(aside, newest.path);
  await syncDirectory(dirname(target));
  return isThatVery ? aside : undefined;
}

/** Removes a file of an inventory, if it is still the one that was listed. */
export async function removeListed(
  context: FileStoreContext,
  { kind, path, modifiedAt, bytes }: StoredFile,
): Promise<boolean> {
  const target = join(context.root, path);
  const stat = await fs.lstat(target, { bigint: true }).catch(() => undefined);
  if (!stat?.isFile() || Number(stat.size) !== bytes) return false;
  if (stat.mtime.getTime() !== modifiedAt.getTime()) return false;
  if (kind !== "archive") {
    await fs.rm(target, { force: true });
    return true;
  }
  const aside = await moveAside(context, target, versionOf(stat));
  if (aside === undefined) return false;
  await fs.rm(aside, { force: true });
  await fs.rm(usePath(target), { force: true });
  return true;
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
