import * as fs from "node:fs";
import { requireSpace } from "../../local/space/disk-space.ts";
import { toLocalError } from "../../local/tree/local-error.ts";
import type { Checkpoint } from "../../local/tree/tree.ts";
import { relocateContent } from "../torch/relocate-content.ts";
import type { Relocation } from "../torch/relocation.ts";
import { judgeEntryName } from "./entry-name.ts";
import { EntryWriter, type StageDirectory } from "./entry-writer.ts";

/** All directories are there. */
const noDirectories = { maxFileCount: 0 };

/**
 * Rewrites the paths in a file of a stage, if the relocation changes any. Throws INSUFFICIENT_SPACE, or
 * the local directory's error.
 */
export function relocateEntry(
  stage: StageDirectory,
  name: string,
  relocation: Relocation,
  checkpoint: Checkpoint,
): void {
  const path = `${stage.path}/${judgeEntryName(name)}`;
  let fd: number | undefined;
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    const { size, mode, mtimeMs } = fs.fstatSync(fd);
    const moved = relocateContent(fd, { name, size }, relocation, checkpoint);
    if (!moved) return;
    requireSpace(stage.path, stage.shownAs, moved.size, 1);
    // The old content is still read by its descriptor, while the new file takes the name.
    fs.unlinkSync(path);
    const entry = { name, size: moved.size, mode, mtime: mtimeMs / 1000 };
    const file = new EntryWriter(stage, noDirectories).openFile(entry);
    try {
      let at = 0;
      for (const piece of moved.pieces()) {
        file.write(piece, at);
        at += piece.length;
      }
      file.finish();
    } finally {
      file.close();
    }
  } catch (error) {
    throw toLocalError(error, stage.shownAs);
  } finally {
    if (fd !== undefined) fs.closeSync(fd);
  }
}
