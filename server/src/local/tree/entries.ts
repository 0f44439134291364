import { isUtf8 } from "node:buffer";
import * as fs from "node:fs";
import { type EntryName, pathAt, pathOfHandle } from "./pinned-directory.ts";

/** An entry of a directory. */
export interface Entry {
  readonly name: EntryName;
  /** Its status, without following a link. */
  readonly stat: fs.Stats;
}

/** An entry of a directory whose status cannot be had, and why. */
export interface FaultyEntry {
  readonly name: EntryName;
  readonly stat?: undefined;
  readonly fault: unknown;
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
export function* entriesIn(fd: number): Generator<Entry> {
  for (const entry of anyEntriesIn(fd, namesIn(fd))) {
    if (!entry.stat) throw entry.fault;
    yield entry;
  }
}

/** The entries of an open directory that have these names, those too whose status cannot be had. */
export function* anyEntriesIn(
  fd: number,
  names: readonly EntryName[],
): Generator<Entry | FaultyEntry> {
  for (const name of names) {
    let stat: fs.Stats | undefined;
    let fault: unknown;
    try {
      stat = twice(() => statAt(fd, name));
    } catch (error) {
      if (!isEntryFault(error)) throw error;
      fault = error;
    }
    if (stat) yield { name, stat };
    else if (fault) yield { name, fault };
  }
}

/** Does something once more that failed in a way that may pass, as on a file server. */
export function twice<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!isEntryFault(error) || isGone(error) || isDenied(error)) throw error;
    return body();
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

/** Whether an error says that the daemon has not the right. */
export function isDenied(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EACCES" || code === "EPERM";
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
