import type { OpenedDirectory } from "./open-directory.ts";
import { clearMarker, setMarker } from "./stage.ts";
import { notLoadedMarker } from "./transient-names.ts";
import { type Checkpoint, emptyDirectory, type Totals } from "./tree.ts";

/**
 * Removes everything in a directory and counts it. Until that is done the directory is marked as not
 * loaded, so that an interrupted clear never leaves part of a cache that looks whole.
 */
export function clearDirectory({ fd }: OpenedDirectory, checkpoint: Checkpoint): Totals {
  const removed = { fileCount: 0, bytes: 0 };
  setMarker(fd);
  emptyDirectory(fd, removed, checkpoint, (name) => name === notLoadedMarker);
  clearMarker(fd);
  return removed;
}
