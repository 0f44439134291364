import * as fs from "node:fs";
import { madeFileMode } from "./file-mode.ts";
import type { Checkpoint } from "./tree.ts";

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
const bufferBytes = 1024 * 1024;

/**
 * Copies an open file to a path where nothing may be yet, with its time and, if that is given, a
 * group. Returns the number of bytes.
 */
export function copyFile(
  from: number,
  target: fs.PathLike,
  checkpoint: Checkpoint,
  group?: number,
): number {
  const stat = fs.fstatSync(from);
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  const to = fs.openSync(target, flags, madeFileMode(stat.mode));
  try {
    const buffer = Buffer.allocUnsafe(Math.min(bufferBytes, stat.size + 1));
    for (let done = 0; ; ) {
      checkpoint();
      const read = fs.readSync(from, buffer, 0, buffer.length, done);
      if (read === 0) {
        if (group !== undefined) fs.fchownSync(to, -1, group);
        fs.futimesSync(to, stat.mtime, stat.mtime);
        return done;
      }
      for (let written = 0; written < read; )
        written += fs.writeSync(to, buffer, written, read - written, done + written);
      done += read;
    }
  } finally {
    fs.closeSync(to);
  }
}
