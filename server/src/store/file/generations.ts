import type { BigIntStats } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { backOff } from "../../async/back-off.ts";
import { CacheError } from "../../domain/cache-error.ts";
import type { Abilities } from "./mount/abilities.ts";
import { makeDurableDirectory, syncDirectory } from "./mount/durable-directory.ts";
import { statFile } from "./mount/file-kinds.ts";
import { hiddenPath } from "./mount/hidden-files.ts";
import { lookAgainIfStale, refreshNames } from "./mount/nfs-looks.ts";
import { linkIfFree, renameOver } from "./naming.ts";
import { folderOf, numbers, pathOf, pathToClaim } from "./numbers.ts";

// POSIX has no "replace this file if it is still that one", but `link()` lets only one of many take a
// name. A writer that replaces a certain archive links its own as the next number in a hidden folder
// beside it. The one that gets the number has replaced it, and then gives it the archive's name. If it
// is killed before that, the next reader or writer finds the higher number, and uses that archive.

/** The newest file of an archive: the one with the archive's name, or one that has a number only. */
export interface Newest {
  readonly path: string;
  readonly version: string;
  /** The number that a file which replaces it may take. */
  readonly next: number;
  /** Whether it has the archive's own name. */
  readonly published: boolean;
}

const sweptAfterMs = 3_600_000;

/** How often another may take a number first, until a writer gives up. */
const mostTries = 30;

/**
 * The identity of a file: any other file of the store, before or after, has another. The device is no
 * part of it, for each machine numbers its mounts itself.
 */
export function versionOf(stat: BigIntStats): string {
  // Node takes a number in the upper half of those that there are for a negative one.
  return [BigInt.asUintN(64, stat.ino), stat.size, stat.mtimeNs].join("-");
}

/** Whether two files, or looks at files, are one: by more than size and time where numbers of files count. */
export function isSameVersion(
  one: string,
  other: string,
  { links }: Pick<Abilities, "links">,
): boolean {
  const part = (version: string) => (links ? version : version.slice(version.indexOf("-")));
  return part(one) === part(other);
}

/** Finds the newest file of the archive `target`; undefined if there is none. */
export function findNewest(target: string): Promise<Newest | undefined> {
  return lookAgainIfStale(() => findNewestNow(target));
}

async function findNewestNow(target: string): Promise<Newest | undefined> {
  const { highest: number, next } = await numbers(target);
  const [latest, numbered] = await Promise.all([
    statIfThere(target),
    number > 0 ? statIfThere(pathOf(target, number)) : undefined,
  ]);
  // A writer that replaces any version takes no number if there are none, so the later file counts.
  if (latest && (!numbered || numbered.ino === latest.ino || numbered.mtimeNs < latest.mtimeNs))
    return { path: target, version: versionOf(latest), next, published: true };
  if (!numbered) return undefined;
  return { path: pathOf(target, number), version: versionOf(numbered), next, published: false };
}

/**
 * Replaces that very version of an archive by a finished file. Answers `exists`, and changes nothing,
 * if another came between. Without hard links it looks first and then calls `rename`: the last of
 * several that do so at once wins, and is whole.
 */
export async function replaceVersion(
  partial: string,
  target: string,
  version: string,
  { abilities, rename }: { abilities: Abilities; rename: () => Promise<void> },
): Promise<"committed" | "exists"> {
  const { ctimeMs: writtenAtMs } = await fs.stat(partial, { bigint: true });
  const newest = await findNewest(target);
  if (newest && !newest.published) await publish(newest.path, target).catch(() => {});
  if (!newest || !isSameVersion(newest.version, version, abilities)) return "exists";
  if (!abilities.links) {
    await rename();
    return "committed";
  }
  const number = newest.next;
  const claim = pathToClaim(target, number);
  if ((await claimNumber(partial, claim)) === "taken") return "exists";
  // Another may have replaced ours by now.
  const isReplaced = (await numbers(target)).highest > number;
  if (isReplaced && !(await wasFree(claim, writtenAtMs))) {
    await fs.rm(claim, { force: true });
    return "exists";
  }
  await syncDirectory(dirname(claim));
  // Committed: readers go by the number, and the next writer gives the file the archive's name.
  if (!isReplaced) await renameOver(partial, target).catch(() => {});
  await finish(target).catch(() => {});
  return "committed";
}

async function claimNumber(partial: string, claim: string): Promise<"linked" | "taken"> {
  try {
    await makeDurableDirectory(dirname(claim));
    await refreshNames(dirname(claim));
    return await linkIfFree(partial, claim);
  } catch (error) {
    // The archive was removed meanwhile, and its numbers with their folder.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "taken";
    throw error;
  }
}

/**
 * Whether a number was free when it was taken. If this process was stopped for as long as numbers are
 * kept, others may have had it, and it was swept.
 */
async function wasFree(claim: string, writtenAtMs: bigint): Promise<boolean> {
  const taken = await statIfThere(claim);
  return taken !== undefined && taken.ctimeMs - writtenAtMs < sweptAfterMs;
}

/**
 * Replaces any version of an archive by a finished file, with `rename`. Where numbers were taken it
 * takes the next: else an archive that was written later, but committed before, would pass for newer.
 */
export async function replaceAny(
  partial: string,
  target: string,
  { abilities, rename }: { abilities: Abilities; rename: () => Promise<void> },
): Promise<void> {
  if (!abilities.links || !(await takeNextNumber(partial, target))) return rename();
  const version = versionOf(await fs.stat(partial, { bigint: true }));
  try {
    await rename();
  } catch (error) {
    // Readers go by the number.
    if ((await findNewest(target))?.version !== version) throw error;
  }
  await finish(target).catch(() => {});
}

async function takeNextNumber(partial: string, target: string): Promise<boolean> {
  for (let tries = 1; tries <= mostTries; tries++) {
    if (tries > 1) await backOff(tries - 1);
    const { highest, next } = await numbers(target);
    if (highest === 0) return false;
    const claim = pathToClaim(target, next);
    const answer = await linkIfFree(partial, claim).catch((error) => {
      // All numbers were taken away.
      if (error.code === "ENOENT") return "taken";
      throw error;
    });
    if (answer === "taken") continue;
    await syncDirectory(dirname(claim));
    return true;
  }
  throw new CacheError(
    "STORE_UNAVAILABLE",
    `${target} was replaced by others, ${mostTries} times while it was to be replaced: save again later`,
  );
}

/** Removes all numbered files of an archive; false if there were none. */
export async function removeNumbered(target: string): Promise<boolean> {
  const there = (await numbers(target)).highest > 0;
  await fs.rm(folderOf(target), { recursive: true, force: true });
  return there;
}

/** A file that has a number. */
export interface Numbered {
  readonly path: string;
  readonly version: string;
}

/** The numbered files of an archive, the earliest first. */
export async function numberedFiles(target: string): Promise<Numbered[]> {
  const files: Numbered[] = [];
  for (const number of (await numbers(target)).taken.toSorted((a, b) => a - b)) {
    const path = pathOf(target, number);
    const stat = await statIfThere(path);
    if (stat) files.push({ path, version: versionOf(stat) });
  }
  return files;
}

/**
 * Removes all numbered files of a removed archive, as they were listed before it was. They go in order:
 * where this is cut short, no archive comes back that another had replaced.
 */
export async function removeListedNumbers(
  target: string,
  listed: readonly Numbered[],
): Promise<void> {
  for (const { path, version } of listed) {
    const stat = await statIfThere(path);
    if (stat && versionOf(stat) === version) await fs.rm(path, { force: true });
  }
  // Others may have taken numbers since.
  await fs.rmdir(folderOf(target)).catch(() => {});
}

// A slow process may have renamed an older file over a newer one; and old numbers keep old files.
async function finish(target: string): Promise<void> {
  const newest = await findNewest(target);
  if (newest && !newest.published) await publish(newest.path, target);
  const { taken, highest } = await numbers(target);
  const now = (await statIfThere(pathOf(target, highest)))?.ctimeMs ?? 0n;
  for (const number of taken) {
    const stat = number < highest ? await statIfThere(pathOf(target, number)) : undefined;
    if (stat && now - stat.ctimeMs > sweptAfterMs)
      await fs.rm(pathOf(target, number), { force: true }).catch(() => {});
  }
}

/** Gives a numbered file the archive's name. */
export async function publish(path: string, target: string): Promise<void> {
  const temporary = hiddenPath(target, "partial");
  await fs.link(path, temporary);
  try {
    await renameOver(temporary, target);
  } finally {
    // Renaming a file over itself does nothing, and leaves the other name.
    await fs.rm(temporary, { force: true });
  }
}

async function statIfThere(path: string): Promise<BigIntStats | undefined> {
  try {
    return await statFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
