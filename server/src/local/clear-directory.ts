import type { OpenedDirectory } from "./open-directory.ts";
import { clearMarker, setMarker } from "./stage.ts";
import { notLoadedMarker } from "./transient-names.ts";
import { type Checkpoint, emptyDirectory, type Totals } from "./tree.ts";

/**
 * Removes all that a directory holds and counts it. The marker "not loaded" stands in it meanwhile, so
 * that a clear which is interrupted never leaves a part of a cache that looks whole.
 */
export function clearDirectory({ fd }: OpenedDirectory, checkpoint: Checkpoint): Totals {
  const removed = { fileCount: 0, bytes: 0 };
  setMarker(fd);
  emptyDirectory(fd, removed, checkpoint, (name) => name === notLoadedMarker);
  clearMarker(fd);
  return removed;
}
