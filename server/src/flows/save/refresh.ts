import type { IndexedFrame, OwnArchive } from "../../archive/format/open-archive.ts";
import type { ArchiveAssembler } from "../../archive/pack/assembler.ts";
import type { Comparison, Superseded } from "../../archive/pack/compare.ts";
import { namesOf, pack, type Unstable } from "../../archive/pack/pack.ts";
import type { ScanResult } from "../../archive/pack/scan.ts";
import { backOff } from "../../async/back-off.ts";
import { CacheError } from "../../domain/cache-error.ts";
import { archiveFilename } from "../../domain/cache-id.ts";
import { type LeftOutFiles, type LeftOutReason, Tally } from "../../domain/left-out.ts";
import type { SaveOutcome } from "../../domain/outcome.ts";
import { pathsOf } from "../../domain/root-paths.ts";
import type { ArchiveReader } from "../../store/store.ts";
import { logFailure } from "../../transfers/log-failure.ts";
import type { Flow, Progress } from "../../transfers/state.ts";
import { rootPathsOf } from "../cache-target.ts";
import type { FlowContext } from "../context.ts";
import { describe } from "../stored-archives.ts";
import { withStored } from "../with-stored.ts";
import { type FilesToSave, generationAfter, type SaveAttempt, type SaveTarget } from "./attempt.ts";
import { saveFiles } from "./files-to-save.ts";
import { createNewArchive } from "./new-archive.ts";
import { openToRefresh } from "./open-judged.ts";
import { isBetterPackedAfresh, isOverLimits, isWorthIt } from "./refresh-choice.ts";
import { afterPause, logBundled } from "./scan-when-settled.ts";
import { nothingPacked, type SaveFlow, skipped } from "./skipped.ts";
import { saveWhole } from "./whole.ts";

/** How often another save may come first until a refresh gives up. */
const mostTries = 100;

/**
 * Saves again when the local directory holds enough that the stored cache lacks, and keeps the union;
 * a file that both have with other content is taken from here. Each try replaces the very archive
 * that it compared with, so that of many refreshes at once none loses what another stored.
 */
export async function* refresh(
  context: FlowContext,
  target: SaveTarget,
  signal: AbortSignal,
): Flow {
  yield { phase: "CHECKING" };
  return yield* saveFiles(context, target, signal, async function* (files): SaveFlow {
    let healed = false;
    for (let tries = 1; tries <= mostTries; tries++) {
      try {
        const outcome = yield* refreshOnce(context, target, files, signal);
        if (outcome) return outcome;
        context.logger.info("another save came first; comparing once more");
      } catch (error) {
        // A damaged archive was set aside, and no longer stands in the way.
        if (healed || !(error instanceof CacheError) || !error.provesDamage) throw error;
        healed = true;
      }
      await backOff(tries, signal);
    }
    throw new CacheError(
      "STORE_UNAVAILABLE",
      `other saves of this cache came first, ${mostTries} times: save again later`,
    );
  });
}

/** The stored cache that a refresh compares with, and its frames with their parts of the file index. */
interface Stored {
  readonly archive: OwnArchive;
  readonly frames: readonly IndexedFrame[];
}

/** One try; undefined if another save came between. */
function refreshOnce(
  context: FlowContext,
  target: SaveTarget,
  files: FilesToSave,
  signal: AbortSignal,
): AsyncGenerator<Progress, SaveOutcome | undefined> {
  return withStored(context, target, signal, async function* (reader) {
    if (!reader) {
      const attempt = { ...files, mode: "create", generation: 1 } as const;
      return yield* wholeIfItFits(context, target, attempt, signal);
    }
    const archive = await openToRefresh(context, target, reader, signal);
    const stored = { reader, archive };
    const outcome = yield* refreshStored(context, target, stored, files, signal);
    if (outcome?.status !== "SKIPPED") return outcome;
    return { ...outcome, cache: describe(reader, archive, context.trust) };
  });
}

async function* refreshStored(
  context: FlowContext,
  target: SaveTarget,
  { reader, archive }: { reader: ArchiveReader; archive: OwnArchive | undefined },
  files: FilesToSave,
  signal: AbortSignal,
): AsyncGenerator<Progress, SaveOutcome | undefined> {
  const generation = generationAfter(archive?.generation ?? 0);
  const isOurName = reader.filename === archiveFilename(target.cacheKey, context.archiveFormat);
  const mode = isOurName ? { replaces: reader.version } : ("create" as const);
  const attempt = { ...files, mode, generation };
  // An archive without an index cannot be compared; a machine that loaded it has all of it here. One
  // that no load would take is not worth a comparison.
  if (!archive || context.archiveFormat !== "tar.zst" || isOverLimits(context, reader, archive))
    return yield* wholeIfItFits(context, target, attempt, signal);

  const stored = { archive, frames: await archive.readIndex(signal) };
  const comparison = await compare(context, target, stored, attempt, signal);
  if (comparison.tied !== undefined) throw cannotUnite(comparison.tied);
  if (!isWorthIt(context, archive, comparison)) {
    const { newFiles, newBytes, fresh } = comparison;
    context.logger.info("the stored cache has nearly all of this", { newFiles, newBytes });
    const isUnfinished = newFiles === 0 && newBytes === 0 && fresh.young.length > 0;
    const reason = isUnfinished ? "UNFINISHED" : "TOO_LITTLE_NEW";
    return skipped(reason, allLeftOut(fresh.leftOut, fresh.young, files.unstable));
  }
  if (isBetterPackedAfresh(context, archive, comparison))
    return yield* wholeIfItFits(context, target, attempt, signal);
  logBundled(context.logger, comparison.fresh);
  try {
    return yield* append(context, target, stored, comparison, attempt, signal);
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    const message = "the union would be too large; saving this directory alone";
    logFailure(context.logger, message, error);
    return yield* wholeIfItFits(context, target, attempt, signal);
  }
}

/** Compares when all files are old enough; those that still change are left out. */
async function compare(
  { limits, archiveFormat: format }: FlowContext,
  target: SaveTarget,
  { frames }: Stored,
  { rootFd, workers, unstable }: SaveAttempt,
  signal: AbortSignal,
): Promise<Comparison> {
  const work = workers.under(signal);
  const root = rootPathsOf(target);
  const compareNow = (seen: ScanResult["young"]) =>
    work.compare({
      rootFd,
      seen,
      unstable: namesOf(unstable),
      profile: target.profile,
      root,
      format,
      limits,
      // Views of one buffer, which is copied once.
      stored: frames.map(({ section, contentBytes, superseded, savedFrom = root }) => ({
        section,
        contentBytes,
        superseded,
        savedFrom,
      })),
    });
  const comparison = await compareNow([]);
  if (comparison.fresh.young.length === 0) return comparison;
  return afterPause(comparison.fresh, compareNow, signal);
}

async function* append(
  context: FlowContext,
  target: SaveTarget,
  stored: Stored,
  comparison: Comparison,
  attempt: SaveAttempt,
  signal: AbortSignal,
): AsyncGenerator<Progress, SaveOutcome | undefined> {
  const { archiveFormat: format } = context;
  const { rootFd, workers, unstable } = attempt;
  const { profile } = target;
  const { young } = comparison.fresh;
  const scan = { ...comparison.fresh, young: [] };
  await using archive = await createNewArchive(context, target, scan.bytes, signal);
  const { assembler } = archive;
  yield { phase: "PACKING", bytesTotal: scan.bytes, filesTotal: scan.fileCount };
  await copyFrames(stored, assembler, signal);
  const packed = yield* pack({
    rootFd,
    rootPaths: pathsOf(rootPathsOf(target)),
    scan,
    unstable,
    profile,
    format,
    assembler,
    work: workers.under(signal),
    signal,
  });
  if (packed.tied !== undefined && !comparison.isOfThisDirectory) throw cannotUnite(packed.tied);
  const leftOut = allLeftOut(packed.leftOut, young);
  if (packed.fileCount === 0) return nothingPacked(leftOut);
  const notPacked = new Set(packed.notPacked);
  const gone = comparison.superseded.map((files) =>
    files.filter(({ name }) => !notPacked.has(name)),
  );
  for (const [i, files] of gone.entries())
    assembler.supersede(
      i,
      files.map(({ name }) => name),
    );
  const removed = sumOf(gone.flat());
  return yield* archive.commit(attempt, {
    fileCount: stored.archive.fileCount - removed.fileCount + packed.fileCount,
    bytes: stored.archive.contentBytes - removed.bytes + packed.bytes,
    leftOut,
    appendedBytes: stored.archive.appendedBytes + packed.bytes,
  });
}

function allLeftOut(
  leftOut: readonly LeftOutFiles[],
  young: ScanResult["young"],
  unstable: readonly Unstable[] = [],
): LeftOutFiles[] {
  const all = new Tally<LeftOutReason>();
  all.addAll(leftOut);
  for (const { name } of young) all.add("CHANGED", name);
  for (const { name, reason } of unstable) all.add(reason, name);
  return all.list();
}

/** Copies the data frames of the stored archive as they are, each verified. */
async function copyFrames(
  { archive, frames }: Stored,
  assembler: ArchiveAssembler,
  signal: AbortSignal,
): Promise<void> {
  // The last frame only ends the tar stream.
  for (const frame of frames.slice(0, -1))
    await assembler.carryOver(await archive.readVerifiedFrame(frame, signal), frame);
}

/** The error for files that work in their own directory alone, when another's are to join them. */
function cannotUnite(file: string): CacheError {
  return new CacheError(
    "ARCHIVE_UNSUPPORTED",
    `${JSON.stringify(file)} names the directory that it is saved from in a way that cannot be changed, and the ` +
      "stored cache is of another directory: give each directory a namespace of its own, or replace the stored cache",
  );
}

function sumOf(files: readonly Superseded[]): { fileCount: number; bytes: number } {
  return {
    fileCount: files.filter(({ starts }) => starts).length,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** Saves this directory alone; where even that is too large, the stored cache stays as it is. */
async function* wholeIfItFits(
  context: FlowContext,
  target: SaveTarget,
  attempt: SaveAttempt,
  signal: AbortSignal,
): AsyncGenerator<Progress, SaveOutcome | undefined> {
  try {
    return yield* saveWhole(context, target, attempt, signal);
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    logFailure(context.logger, "the directory is too large to be saved", error);
    return skipped("TOO_LARGE");
  }
}

function isTooLarge(error: unknown): error is CacheError {
  return error instanceof CacheError && error.reason === "CACHE_TOO_LARGE";
}
