import { isUtf8 } from "node:buffer";
import * as fs from "node:fs";
import { type EntryName, pathAt, pathOfHandle } from "./pinned-directory.ts";

/** An entry of a directory. */
export interface Entry {
  readonly name: EntryName;
  /** Its status, without following a link; absent where it cannot be had. */
  readonly stat?: fs.Stats;
}

/** The names in an open directory. */
export function namesIn(fd: number): EntryName[] {
  // One character for each byte, so that no name is lost.
  const names = fs.readdirSync(pathOfHandle(fd), { encoding: "latin1" });
  return names.map((name) => {
    if (isAscii(name)) return name;
    const bytes = Buffer.from(name, "latin1");
    return isUtf8(bytes) ? bytes.toString("utf8") : bytes;
  });
}

/** The entries of an open directory, in its order; what has vanished by its turn is passed over. */
export function* entriesIn(
  fd: number,
  names: readonly EntryName[] = namesIn(fd),
): Generator<Entry> {
  for (const name of names) {
    try {
      const stat = statAt(fd, name);
      if (stat) yield { name, stat };
    } catch (error) {
      if (!isEntryFault(error)) throw error;
      yield { name };
    }
  }
}

/**
 * Status of an entry of an open directory, without following links; undefined if there is no such
 * entry.
 */
export function statAt(fd: number, name: EntryName): fs.Stats | undefined {
  return fs.lstatSync(pathAt(fd, name), { throwIfNoEntry: false });
}

/** A name as people may read it: bytes that are not ASCII text stand as `\xNN` where it is not UTF-8. */
export function textOf(name: EntryName): string {
  if (typeof name === "string") return name;
  const escapeOf = (c: string) => `\\x${c.charCodeAt(0).toString(16)}`;
  return Buffer.from(name)
    .toString("latin1")
    .replace(/[^\x20-\x7e]/g, escapeOf);
}

/** Whether an error says that an entry is no longer there, or no longer what it was. */
export function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP";
}

/** Whether an error of a system call is about this one entry, and not about the whole process. */
export function isEntryFault(error: unknown): boolean {
  const { errno, code = "" } = error as NodeJS.ErrnoException;
  return errno !== undefined && !["EMFILE", "ENFILE", "ENOMEM", "EBADF"].includes(code);
}

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII.
  return /^[\x00-\x7f]*$/.test(text);
}
