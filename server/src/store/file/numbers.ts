import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CacheError } from "../../domain/cache-error.ts";
import { refreshNames } from "./mount/nfs-looks.ts";

// The numbers by which generations.ts tells which of an archive's files replaced which: names in a hidden
// folder beside it.

const folderEnding = ".generations";

/**
 * The highest number that counts: far more than any cache is refreshed, and far less than numbers that
 * have no successor.
 */
const highestNumber = 999_999_999_999;

/** The hidden folder that holds an archive's numbered files. */
export function folderOf(target: string): string {
  return join(dirname(target), `.${basename(target)}${folderEnding}`);
}

/** The archive whose numbers a folder of that name holds; undefined for any other name. */
export function numberedBy(name: string): string | undefined {
  if (!name.startsWith(".") || !name.endsWith(folderEnding)) return undefined;
  return name.slice(1, -folderEnding.length);
}

/** Where its file of that number lies. */
export function pathOf(target: string, number: number): string {
  return join(folderOf(target), nameOf(number));
}

function nameOf(number: number): string {
  return String(number).padStart(8, "0");
}

function isNumberName(name: string): boolean {
  return /^\d{8,12}$/.test(name) && nameOf(Number(name)) === name;
}

/** The same for a number that a writer is to take. Throws where there is no next. */
export function pathToClaim(target: string, number: number): string {
  if (number <= highestNumber) return pathOf(target, number);
  throw new CacheError(
    "STORE_UNAVAILABLE",
    `${folderOf(target)} holds the number ${highestNumber}, which has no next, and which no daemon has given: ` +
      "remove that folder, or delete this cache",
  );
}

/** Which numbers an archive has. */
export interface Numbers {
  /** Those that files have, which alone count for readers. */
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
