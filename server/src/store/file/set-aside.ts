import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { findNewest, isSameVersion, removeNumberedVersion, versionOf } from "./generations.ts";
import type { FileStoreContext } from "./mount/context.ts";
import { syncDirectory } from "./mount/durable-directory.ts";
import { hiddenPath } from "./mount/hidden-files.ts";
import { renameOver } from "./naming.ts";

/**
 * Renames the archive of that version to a hidden name; false if the name has another, or none. POSIX
 * cannot rename "only if it is still that file", so this looks before and after, and gives a good
 * archive that came between its name back.
 */
export async function setFileAside(
  { abilitiesAt }: FileStoreContext,
  target: string,
  version: string,
): Promise<boolean> {
  const newest = await findNewest(target);
  if (!newest) return false;
  const { dev } = await fs.stat(dirname(target));
  const abilities = await abilitiesAt(dev, target);
  if (!isSameVersion(newest.version, version, abilities)) return false;
  const aside = hiddenPath(target, "damaged");
  try {
    await renameOver(newest.path, aside);
  } catch (error) {
    // Another caller was faster.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  const found = versionOf(await fs.lstat(aside, { bigint: true }));
  const isThatVery = isSameVersion(found, version, abilities);
  if (isThatVery) await removeNumberedVersion(target, version);
  else await giveBack(aside, newest.path);
  await syncDirectory(dirname(target));
  return isThatVery;
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
