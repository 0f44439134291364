import { EssentialFileChanged } from "../../archive/pack/pack.ts";
import type { FlowContext } from "../context.ts";
import { openLocal } from "../held-directories.ts";
import type { SaveTarget } from "./attempt.ts";
import { type SaveFlow, skipped } from "./skipped.ts";

/**
 * Runs `save` with the open local directory, and again without a file that changed too late. A
 * directory with nothing to save, or marked as not loaded, is skipped.
 */
export async function* saveFiles(
  { workers, logger }: FlowContext,
  { localDir }: SaveTarget,
  signal: AbortSignal,
  save: (rootFd: number, unstable: readonly string[]) => SaveFlow,
): SaveFlow {
  await using directory = await openLocal(workers, localDir, signal);
  if (!directory?.opened.holdsFiles || directory.opened.notLoaded) {
    const notLoaded = directory?.opened.notLoaded ?? false;
    const why = notLoaded ? "a load or clear of it was interrupted" : "it has no files";
    logger.info("nothing to save", { local_dir: localDir.path, why });
    return skipped(notLoaded ? "NOT_LOADED" : "NO_FILES");
  }
  const unstable: string[] = [];
  for (;;)
    try {
      return yield* save(directory.opened.fd, unstable);
    } catch (error) {
      if (!(error instanceof EssentialFileChanged)) throw error;
      const file = error.fileName;
      logger.warn("a file changed while it was saved; it is left out", { file });
      unstable.push(file);
    }
}
