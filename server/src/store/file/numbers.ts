import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CacheError } from "../../domain/cache-error.ts";
import { refreshNames } from "./mount/nfs-looks.ts";

/**
 * The highest number that counts: far more than any cache is refreshed, and far less than numbers that
 * have no successor.
 */
const highestNumber = 999_999_999_999;

/** The hidden folder of an archive's numbered files. */
export function folderOf(target: string): string {
  return join(dirname(target), `.${basename(target)}.generations`);
}

export function pathOf(target: string, number: number): string {
  return join(folderOf(target), nameOf(number));
}

function nameOf(number: number): string {
  return String(number).padStart(8, "0");
}

function isNumberName(name: string): boolean {
  return /^\d{8,12}$/.test(name) && nameOf(Number(name)) === name;
}

/** The path that gives a new file that number. Throws where there are no more. */
export function pathToClaim(target: string, number: number): string {
  if (number <= highestNumber) return pathOf(target, number);
  throw new CacheError(
    "STORE_UNAVAILABLE",
    `${folderOf(target)} holds the number ${highestNumber}, which has no next, and which no daemon has given: ` +
      "remove that folder, or delete this cache",
  );
}

/** The archive whose numbered file, or whose folder of them, has this path; undefined for other paths. */
export function targetOfNumbered(path: string): string | undefined {
  const folder = isNumberName(basename(path)) ? dirname(path) : path;
  const name = /^\.(?<target>.+)\.generations$/.exec(basename(folder))?.groups?.target;
  return name === undefined ? undefined : join(dirname(folder), name);
}

interface Numbers {
  /** Those that files have, lowest first, which alone count for readers. */
  readonly taken: readonly number[];
  /** The highest of them; 0 if there is none. */
  readonly highest: number;
  /** One that nothing has, above all of them. */
  readonly next: number;
}

const listed = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * The numbers of an archive. Whoever may write in the store may put anything into the folder, or in its
 * place: what is no file, no folder or no possible number is passed over.
 */
export async function numbers(target: string): Promise<Numbers> {
  // Another machine may have made the folder since this one looked last.
  await refreshNames(dirname(target));
  let folder: fs.FileHandle | undefined;
  try {
    folder = await fs.open(folderOf(target), listed);
    const entries = await fs.readdir(`/proc/self/fd/${folder.fd}`, { withFileTypes: true });
    const numbered = entries.filter(({ name }) => isNumberName(name));
    const taken = numbered.filter((entry) => entry.isFile()).map(({ name }) => Number(name));
    taken.sort((a, b) => a - b);
    const highest = taken.reduce((most, number) => Math.max(most, number), 0);
    const top = numbered.reduce((most, { name }) => Math.max(most, Number(name)), 0);
    return { taken, highest, next: top + 1 };
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(code)) return { taken: [], highest: 0, next: 1 };
    throw error;
  } finally {
    await folder?.close();
  }
}
