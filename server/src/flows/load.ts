import { openArchive } from "../archive/format/open-archive.ts";
import { unpackForeign, unpackOwn } from "../archive/unpack/unpack.ts";
import { mostStreamBytes, requireWithin, tooLarge } from "../domain/limits.ts";
import type { LoadOutcome } from "../domain/outcome.ts";
import type { ArchiveReader } from "../store/store.ts";
import type { Flow, Progress } from "../transfers/state.ts";
import { type CacheTarget, nameOf, rootPathsOf } from "./cache-target.ts";
import { type FlowContext, uncancelled } from "./context.ts";
import { type LocalDirectory, openLocal, openOrMakeLocal, openStage } from "./held-directories.ts";
import { loadB10Archive } from "./load-b10-archive.ts";
import { logSpared } from "./log-spared.ts";
import type { IfLocalExists } from "./policies.ts";
import { describe, findClosest, namespacesThatHoldIt, requireCacheOf } from "./stored-archives.ts";
import { withStored } from "./with-stored.ts";

const noteTimeoutMs = 30_000;

/** A load whose request was found to be sound. */
export interface LoadTarget extends CacheTarget {
  readonly policy: IfLocalExists;
}

/** Store to local directory. */
export async function* load(context: FlowContext, target: LoadTarget, signal: AbortSignal): Flow {
  yield { phase: "CHECKING" };
  await using found = await openLocal(context.workers, target.localDir, signal);
  if (target.policy === "SKIP" && found?.opened.holdsFiles && !found.opened.notLoaded)
    return { kind: "LOAD", status: "SKIPPED" };
  if (target.policy === "REPLACE" && found)
    await found.workers.under(signal).requireMayEmpty(found.opened);

  return yield* withStored(context, target, signal, async function* (reader) {
    if (!reader) return yield* loadElse(context, target, found, signal);
    const outcome = yield* loadFrom(context, target, reader, found, signal);
    noteUse(context, reader);
    return outcome;
  });
}

/** Of a cache that the store does not hold. */
async function* loadElse(
  context: FlowContext,
  target: LoadTarget,
  found: LocalDirectory | undefined,
  signal: AbortSignal,
): AsyncGenerator<Progress, LoadOutcome> {
  const ancestor = yield* loadB10Archive(context, target, signal, (reader) =>
    loadFrom(context, target, reader, found, signal),
  );
  if ("outcome" in ancestor) return ancestor.outcome;
  const missed = await miss(context, target, found, signal);
  return { ...missed, ...(ancestor.note ? { note: ancestor.note } : {}) };
}

async function miss(
  { workers, store, trust, logger }: FlowContext,
  target: LoadTarget,
  found: LocalDirectory | undefined,
  signal: AbortSignal,
): Promise<LoadOutcome> {
  // Nothing will come that could finish an interrupted load, so what it left is cleared.
  if (found?.opened.notLoaded) {
    const { spared } = await found.workers.under(uncancelled).clearDirectory(found.opened);
    logSpared(logger, target.localDir.path, spared);
  }
  const stored = { store, work: workers.under(signal), trust };
  const closest = await findClosest(stored, target.namespace, target.environment, signal);
  const others = closest ? [] : await namespacesThatHoldIt(store, target, signal);
  logger.info("the store does not hold this cache", {
    namespace: target.namespace,
    environment_key: target.environmentKey,
    ...(closest ? { closest: closest.cache.cacheKey, differing: closest.differing } : {}),
  });
  return {
    kind: "LOAD",
    status: "DOES_NOT_EXIST",
    ...(closest ? { closest } : {}),
    ...(others.length > 0 ? { otherNamespaces: others } : {}),
  };
}

async function* loadFrom(
  context: FlowContext,
  target: LoadTarget,
  reader: ArchiveReader,
  found: LocalDirectory | undefined,
  signal: AbortSignal,
): AsyncGenerator<Progress, LoadOutcome> {
  const { workers, limits } = context;
  const archive = await openArchive(reader, workers.under(signal), signal);
  const contentBytes = archive?.contentBytes ?? 0;
  const fileCount = archive?.fileCount ?? 0;
  requireWithin(limits, "maxArchiveBytes", reader.bytes, "the cache has");
  requireWithin(limits, "maxContentBytes", contentBytes, "the cache has");
  requireWithin(limits, "maxFileCount", fileCount, "the cache has");
  if (archive && archive.streamBytes > mostStreamBytes(limits))
    throw tooLarge(limits, "maxContentBytes", "the archive unpacks to far", "bytes");
  if (archive) requireCacheOf(target, archive);
  context.trust.requireTrusted(nameOf(target), archive);
  yield { phase: "UNPACKING", bytesTotal: contentBytes, filesTotal: fileCount };

  await using made = found ? undefined : await openOrMakeLocal(workers, target.localDir, signal);
  const directory = (found ?? made) as LocalDirectory;
  const { fd, path: shownAs } = directory.opened;
  const work = directory.workers.under(signal);
  await work.requireSpace({ fd, shownAs, bytes: contentBytes, fileCount });
  await using stage = await openStage(directory, signal);
  const total = yield* progressOf(
    archive
      ? unpackOwn({
          archive,
          stage: stage.directory,
          localDir: rootPathsOf(target),
          limits,
          work,
          signal,
        })
      : unpackForeign({ reader, stage: stage.directory, limits, work, signal }),
  );
  yield {
    phase: "COMMITTING",
    bytesDone: total.bytes,
    bytesTotal: total.bytes,
    filesDone: total.fileCount,
    filesTotal: total.fileCount,
  };
  signal.throwIfAborted();
  const exact = target.policy === "REPLACE";
  logSpared(context.logger, shownAs, await stage.publish({ overwrite: exact, exact }));
  directory.keep();
  // Only one of b10-transfer's has another key in its name.
  const cache = { ...describe(reader, archive, context.trust), cacheKey: target.cacheKey };
  return { kind: "LOAD", status: "SUCCESS", cache };
}

/** For who collects garbage. It keeps nobody waiting, and a store that is only read cannot take it. */
function noteUse({ store, logger }: FlowContext, archive: ArchiveReader): void {
  const { namespace, filename } = archive;
  store.noteUse(archive, AbortSignal.timeout(noteTimeoutMs)).catch((error: unknown) => {
    logger.debug("could not note the use of an archive", { namespace, filename, error });
  });
}

async function* progressOf(
  unpacking: AsyncGenerator<
    { bytes: number; fileCount: number },
    { bytes: number; fileCount: number }
  >,
): AsyncGenerator<Progress, { bytes: number; fileCount: number }> {
  for (;;) {
    const { done, value } = await unpacking.next();
    if (done) return value;
    yield { bytesDone: value.bytes, filesDone: value.fileCount };
  }
}
