import * as fs from "node:fs";
import { currentPath, pathOfHandle } from "./pinned-directory.ts";
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

/**
 * Opens a file that was listed below an open directory, and runs `body` with its descriptor. Returns
 * undefined if the file cannot be opened, now lies elsewhere, is another file, or has changed by the
 * time `body` is done. `rootPath` is the directory's current path.
 */
export function withListedFile<T>(
  rootFd: number,
  rootPath: string,
  file: ListedFile,
  body: (fd: number) => T,
): T | undefined {
  let fd: number | undefined;
  try {
    fd = fs.openSync(
      `${pathOfHandle(rootFd)}/${file.name}`,
      fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK,
    );
    // A directory on the way may have been replaced by a link: only the kernel knows where the file
    // lies.
    if (currentPath(fd) !== `${rootPath === "/" ? "" : rootPath}/${file.name}`) return undefined;
    const result = body(fd);
    return isSame(fs.fstatSync(fd), file) ? result : undefined;
  } catch (error) {
    if (error instanceof CutShort) return undefined;
    const { errno, code } = error as NodeJS.ErrnoException;
    if (errno === undefined || code === "EMFILE" || code === "ENFILE") throw error;
    // Gone, no longer a file, or a path too long for the kernel to report.
    return undefined;
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

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

function isSame(stat: fs.Stats, file: ListedFile): boolean {
  return (
    stat.isFile() &&
    stat.size === file.size &&
    stat.mtimeMs === file.mtimeMs &&
    stat.ctimeMs === file.ctimeMs &&
    stat.ino === file.ino
  );
}
