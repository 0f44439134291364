import * as fs from "node:fs/promises";
import { dirname, join } from "node:path";
import type { StoredFile } from "../store.ts";
import {
  findNewest,
  isSameVersion,
  numberedFiles,
  publish,
  removeListedNumbers,
  versionOf,
} from "./generations.ts";
import { statListed } from "./inventory.ts";
import type { FileStoreContext } from "./mount/context.ts";
import { syncDirectory } from "./mount/durable-directory.ts";
import { hiddenPath, usePath } from "./mount/hidden-files.ts";
import { refreshName } from "./mount/nfs-looks.ts";
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
  return (await moveAside(context, target, version, "damaged")) !== undefined;
}

/** Does that; returns the hidden path. Killed within, it leaves the archive, whole, or none. */
async function moveAside(
  { abilitiesAt }: FileStoreContext,
  target: string,
  version: string,
  kind: "damaged" | "partial",
): Promise<string | undefined> {
  // Listed first: whatever else has a number now is older than the newest.
  const numbered = await numberedFiles(target);
  const newest = await findNewest(target);
  if (!newest) return undefined;
  const { dev } = await fs.stat(dirname(target));
  const abilities = await abilitiesAt(dev, target);
  if (!isSameVersion(newest.version, version, abilities)) return undefined;
  const aside = hiddenPath(target, kind);
  try {
    // Else the one that it replaced would stay, under the archive's name.
    if (!newest.published) await publish(newest.path, target);
    await renameOver(target, aside);
  } catch (error) {
    // Another caller was faster.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  await refreshName(aside);
  const found = versionOf(await fs.lstat(aside, { bigint: true }));
  const isThatVery = isSameVersion(found, version, abilities);
  if (isThatVery) await removeListedNumbers(target, numbered);
  else await giveBack(aside, target);
  await syncDirectory(dirname(target));
  return isThatVery ? aside : undefined;
}

/** Removes a file of an inventory, if it is still the one that was listed. */
export async function removeListed(
  context: FileStoreContext,
  { kind, path, modifiedAt, bytes }: StoredFile,
): Promise<boolean> {
  const target = join(context.root, path);
  const listed = await statListed(kind, target);
  if (listed?.bytes !== bytes || listed.modifiedAt.getTime() !== modifiedAt.getTime()) return false;
  if (kind !== "archive") {
    await fs.rm(target, { force: true });
    return true;
  }
  const aside = await moveAside(context, target, listed.version, "partial");
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
