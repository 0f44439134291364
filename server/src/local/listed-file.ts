import * as fs from "node:fs";
import { currentPath, pathOfHandle } from "./pinned-directory.ts";
import type { Checkpoint } from "./tree.ts";

/** A file as it was when it was listed: what tells it from any other, and from itself once it has changed. */
export interface ListedFile {
  /** Its path below the directory. */
  readonly name: string;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly ino: number;
}

/**
 * Runs `body` with a file that was listed below an open directory, open for reading. Answers undefined
 * if it cannot be opened, lies elsewhere by now, or is not the very file that was listed, with the
 * times that it was listed with, once `body` is done. `rootPath` is the directory's current path.
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
    // A component may have become a link meanwhile: believe only where the kernel says we are.
    if (currentPath(fd) !== `${rootPath === "/" ? "" : rootPath}/${file.name}`) return undefined;
    const result = body(fd);
    return isSame(fs.fstatSync(fd), file) ? result : undefined;
  } catch (error) {
    const { errno, code } = error as NodeJS.ErrnoException;
    if (errno === undefined || code === "EMFILE" || code === "ENFILE") throw error;
    // Gone, another thing by now, or a path that is longer than the kernel tells.
    return undefined;
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}

const pieceBytes = 1024 * 1024;

/** A file that has become shorter while it was read. */
export class CutShort extends Error {}

/** What a file holds from `start` to `end`; each piece is valid until the next. Throws CutShort. */
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

/** Fills `into` with what a file holds from `start`; false if it ends before. */
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
