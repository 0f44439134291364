import * as fs from "node:fs";
import { isEntryFault, isGone } from "./entries.ts";
import { currentPath, pathAt } from "./pinned-directory.ts";
import type { Checkpoint } from "./tree.ts";

/**
 * A file when it was listed, and what shows later whether it is still that file and unchanged. Times
 * are in milliseconds since 1970.
 */
export interface ListedFile {
  /** Its path below the directory. */
  readonly name: string;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly ino: number;
}

/** Thrown when a file ends before the part of it that was to be read. */
class CutShort extends Error {}

/** What became of reading a listed file: a result, or why there is none. */
export type ListedRead<T> =
  | { readonly result: T; readonly fault?: undefined }
  | { readonly fault: "CHANGED" | "UNREADABLE" };

/**
 * Opens a file that was listed below an open directory, and runs `body` with its descriptor. Returns
 * undefined if the file cannot be read, now lies elsewhere, is another file, or has changed by the
 * time `body` is done. `rootPath` is the directory's current path.
 */
export function withListedFile<T>(
  rootFd: number,
  rootPath: string,
  file: ListedFile,
  body: (fd: number) => T,
): T | undefined {
  const read = readListedFile(rootFd, rootPath, file, body);
  return read.fault ? undefined : read.result;
}

/** Does what withListedFile does, and tells why there is no result. */
export function readListedFile<T>(
  rootFd: number,
  rootPath: string,
  file: ListedFile,
  body: (fd: number) => T,
): ListedRead<T> {
  let fd: number | undefined;
  try {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    fd = fs.openSync(pathAt(rootFd, file.name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    // A directory on the way may have been replaced by a link: only the kernel knows where the file
    // lies.
    if (currentPath(fd) !== `${rootPath === "/" ? "" : rootPath}/${file.name}`) return changed;
    const result = body(fd);
    return isSame(fs.fstatSync(fd), file) ? { result } : changed;
  } catch (error) {
    if (error instanceof CutShort) return changed;
    if (!isEntryFault(error)) throw error;
    // It may be another kind of file by now.
    const { code = "" } = error as NodeJS.ErrnoException;
    const isFile = fd === undefined ? code !== "ENXIO" : fs.fstatSync(fd).isFile();
    return isGone(error) || !isFile ? changed : { fault: "UNREADABLE" };
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

const changed = { fault: "CHANGED" } as const;

const pieceBytes = 1024 * 1024;

/**
 * The content of a file from `start` to `end`, in bytes. Each piece is valid only until the next.
 * Throws CutShort.
 */
export function* readPieces(
  fd: number,
  start: number,
  end: number,
  checkpoint: Checkpoint,
): Generator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(Math.min(end - start, pieceBytes));
  for (let at = start; at < end; ) {
    checkpoint();
    const piece = buffer.subarray(0, Math.min(buffer.length, end - at));
    if (!readFully(fd, at, piece)) throw new CutShort();
    at += piece.length;
    yield piece;
  }
}

/** Fills `into` from a file, beginning at byte `start`; returns false if the file ends too early. */
export function readFully(fd: number, start: number, into: Uint8Array): boolean {
  for (let done = 0; done < into.length; ) {
    const read = fs.readSync(fd, into, done, into.length - done, start + done);
    if (read === 0) return false;
    done += read;
  }
  return true;
}

/** Whether a file is still the one that was listed, and unchanged. */
export function isSame(stat: fs.Stats, file: ListedFile): boolean {
  return (
    stat.isFile() &&
    stat.size === file.size &&
    stat.mtimeMs === file.mtimeMs &&
    stat.ctimeMs === file.ctimeMs &&
    stat.ino === file.ino
  );
}
