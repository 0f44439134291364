import { EssentialFileChanged, type Unstable } from "../../archive/pack/pack.ts";
import { type LeftOutFiles, leftOutCount, leftOutReasons } from "../../domain/left-out.ts";
import type { FlowContext } from "../context.ts";
import { openLocal } from "../held-directories.ts";
import type { FilesToSave, SaveTarget } from "./attempt.ts";
import { scanToSave } from "./scan-when-settled.ts";
import { nothingPacked, type SaveFlow, skipped } from "./skipped.ts";

/**
 * Runs `save` with the open local directory, and again without a file that changed too late. A
 * directory with nothing to save, or marked as not loaded, is skipped. Logs what was left out.
 */
export async function* saveFiles(
  context: FlowContext,
  target: SaveTarget,
  signal: AbortSignal,
  save: (files: FilesToSave) => SaveFlow,
): SaveFlow {
  const { logger, workers } = context;
  const { profile, localDir } = target;
  const nothing = (why: string) =>
    logger.info("nothing to save", { local_dir: localDir.path, why });
  await using directory = await openLocal(workers, localDir, signal);
  if (directory?.opened.notLoaded) {
    nothing("a load or clear of it was interrupted");
    return skipped("NOT_LOADED");
  }
  if (!directory?.opened.holdsFiles) {
    nothing("it has no files");
    if (!directory) return skipped("NO_FILES");
    const files = { rootFd: directory.opened.fd, workers: directory.workers, unstable: [] };
    const { leftOut } = await scanToSave(context, files, profile, signal);
    logLeftOut(context, target, leftOut);
    return nothingPacked(leftOut);
  }
  const unstable: Unstable[] = [];
  for (;;)
    try {
      const files = { rootFd: directory.opened.fd, workers: directory.workers, unstable };
      const outcome = yield* save(files);
      logLeftOut(context, target, outcome.leftOut);
      return outcome;
    } catch (error) {
      if (!(error instanceof EssentialFileChanged)) throw error;
      unstable.push(error.file);
      logger.info("packing again without a file that changed, or cannot be read", error.file);
    }
}

/** Locks and temporary files are always there, and no reason to warn. */
function logLeftOut(
  { logger }: FlowContext,
  { localDir }: SaveTarget,
  leftOut: readonly LeftOutFiles[],
): void {
  if (leftOut.length === 0) return;
  const unusual = leftOutReasons.filter((reason) => reason !== "TEMPORARY");
  const level = leftOutCount(leftOut, ...unusual) > 0 ? "warn" : "info";
  const counted = leftOut.map(({ reason, ...files }) => [reason.toLowerCase(), files]);
  logger[level]("left files out of the save", {
    local_dir: localDir.path,
    ...Object.fromEntries(counted),
  });
}
