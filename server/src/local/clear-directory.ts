import { requireMayEmpty } from "./never-emptied.ts";
import type { OpenedDirectory } from "./open-directory.ts";
import { clearMarker, setMarker } from "./stage.ts";
import { type Removed, removeFiles } from "./tree/removal.ts";
import { notLoadedMarker } from "./tree/transient-names.ts";
import type { Checkpoint } from "./tree/tree.ts";

/**
 * Removes all that a load or a compiler made in a directory, and counts it: see removeFiles. Until that
 * is done the directory is marked as not loaded, so that an interrupted clear never leaves part of a
 * cache that looks whole. Throws PATH_NOT_ALLOWED for what is never emptied: see requireMayEmpty.
 */
export function clearDirectory(directory: OpenedDirectory, checkpoint: Checkpoint): Removed {
  requireMayEmpty(directory);
  const { fd, path } = directory;
  setMarker(fd);
  const keep = new Map([[notLoadedMarker, true as const]]);
  const removed = removeFiles(fd, { keep, transient: true, shownAs: path }, checkpoint);
  clearMarker(fd);
  return removed;
}
