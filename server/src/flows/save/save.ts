import { formatName, formatVersion } from "../../archive/format/format.ts";
import { openArchive } from "../../archive/format/open-archive.ts";
import { ArchiveAssembler, type ManifestHead } from "../../archive/pack/assembler.ts";
import { EssentialFileChanged, pack } from "../../archive/pack/pack.ts";
import type { ScanResult } from "../../archive/pack/scan.ts";
import { CacheError } from "../../domain/cache-error.ts";
import { archiveFilename } from "../../domain/cache-id.ts";
import type { Environment } from "../../domain/environment.ts";
import type { SaveOutcome, SaveSkipReason } from "../../domain/outcome.ts";
import type { Profile } from "../../domain/profile.ts";
import type { StoredCache } from "../../domain/stored-cache.ts";
import { toolVersion } from "../../domain/tool-version.ts";
import type { AllowedPath } from "../../local/allowed-dirs.ts";
import type { OpenedDirectory } from "../../local/open-directory.ts";
import type { ArchiveName, ArchiveWriter, CommitMode, Store } from "../../store/store.ts";
import type { Flow, Progress } from "../../transfers/state.ts";
import { createArchiveWork } from "../../workers/pooled-work.ts";
import type { FlowContext } from "../context.ts";
import { withDirectory } from "../local-work.ts";
import type { IfStoredExists } from "../policies.ts";
import { archiveNames, describe, describeStored, openStored } from "../stored-archives.ts";
import { scanToSave } from "./scan-when-settled.ts";

/** A save whose request was found to be sound. */
export interface SaveTarget {
  readonly namespace: string;
  readonly environment: Environment;
  readonly environmentKey: string;
  readonly cacheKey: string;
  readonly place: AllowedPath;
  readonly profile: Profile;
  readonly policy: IfStoredExists;
}

/** A flow that ends in what a save came to. */
export type SaveFlow = AsyncGenerator<Progress, SaveOutcome>;

/** One try at a save: the files that it leaves out, and the archive that it may take the place of. */
export interface SaveAttempt {
  readonly rootFd: number;
  readonly exclude: readonly string[];
  readonly mode: CommitMode;
  readonly generation: number;
}

/** An archive of real kernels never shrinks more than this, so less room than that is too little. */
const bestRatio = 100;

/** Local directory to store, whole: policies SKIP and REPLACE. */
export async function* save(context: FlowContext, target: SaveTarget, signal: AbortSignal): Flow {
  yield { phase: "CHECKING" };
  const { store } = context;
  if (target.policy === "SKIP") {
    const stored = await describeStored(store, target, signal);
    if (stored) return skipped("ALREADY_STORED", 0, stored);
  }
  const mode = target.policy === "SKIP" ? "create" : "replace";
  return yield* withFilesToSave(context, target, signal, async function* (rootFd, exclude) {
    const generation = mode === "create" ? 1 : (await storedGeneration(store, target, signal)) + 1;
    const attempt = { rootFd, exclude, mode, generation } as const;
    const outcome = yield* saveWhole(context, target, attempt, signal);
    if (outcome) return outcome;
    const winner = await describeStored(store, target, signal);
    return skipped("ALREADY_STORED", exclude.length, winner);
  });
}

/**
 * Runs `body` with the open local directory, and again without a file that changed too late;
 * a directory with nothing to save, or marked as not loaded, is skipped.
 */
export async function* withFilesToSave(
  { backgroundPool, logger }: FlowContext,
  { place }: SaveTarget,
  signal: AbortSignal,
  body: (rootFd: number, exclude: readonly string[]) => SaveFlow,
): SaveFlow {
  const inside = async function* (directory: OpenedDirectory | undefined): SaveFlow {
    if (!directory?.holdsFiles || directory.notLoaded) {
      const why = directory?.notLoaded
        ? "a load or clear of it was interrupted"
        : "it has no files";
      logger.info("nothing to save", { local_dir: place.path, why });
      return skipped(directory?.notLoaded ? "NOT_LOADED" : "NO_FILES");
    }
    const exclude: string[] = [];
    for (;;) {
      try {
        return yield* body(directory.fd, exclude);
      } catch (error) {
        if (!(error instanceof EssentialFileChanged)) throw error;
        const file = error.fileName;
        logger.warn("a file changed while it was saved; it is left out", { file });
        exclude.push(file);
      }
    }
  };
  return yield* withDirectory(backgroundPool, place, { create: false }, signal, inside);
}

/** Nothing was saved. `cache` is what the store holds, where that is known. */
export function skipped(
  skipReason: SaveSkipReason,
  leftOutFileCount = 0,
  cache?: StoredCache,
): SaveOutcome {
  return {
    kind: "SAVE",
    status: "SKIPPED",
    skipReason,
    ...(cache ? { cache } : {}),
    leftOutFileCount,
  };
}

/** No file was packed: those that were to be were left out, or there were none. */
export function nothingPacked(leftOutFileCount: number): SaveOutcome {
  return skipped(leftOutFileCount > 0 ? "UNFINISHED" : "NO_FILES", leftOutFileCount);
}

/** Saves the directory whole; undefined if the mode forbade the commit. */
export async function* saveWhole(
  context: FlowContext,
  target: SaveTarget,
  attempt: SaveAttempt,
  signal: AbortSignal,
): AsyncGenerator<Progress, SaveOutcome | undefined> {
  const { backgroundPool: pool, archiveFormat: format } = context;
  const { rootFd, exclude } = attempt;
  const { profile } = target;
  const scan = await scanToSave(context, { rootFd, exclude, profile }, signal);
  requireWithinLimits(context, scan);
  return yield* withArchive(context, target, scan.bytes, signal, async function* (archive) {
    yield { phase: "PACKING", bytesTotal: scan.bytes, filesTotal: scan.fileCount };
    const { assembler } = archive;
    const work = createArchiveWork(pool, signal);
    const packed = yield* pack({ rootFd, scan, exclude, profile, format, assembler, work, signal });
    const leftOutFileCount = packed.leftOut.length + exclude.length;
    if (packed.fileCount === 0) return nothingPacked(leftOutFileCount);
    return yield* archive.commit(attempt, { ...packed, leftOutFileCount });
  });
}

/** What a finished archive holds. */
export interface Saved {
  readonly fileCount: number;
  readonly bytes: number;
  readonly leftOutFileCount: number;
  /** Bytes of files that refreshes appended since the whole was packed. */
  readonly appendedBytes?: number;
}

/** An archive on its way into the store. */
export interface ArchiveInProgress {
  readonly assembler: ArchiveAssembler;
  /** Finishes and commits it; undefined if the mode forbade that. */
  commit(
    attempt: Pick<SaveAttempt, "mode" | "generation">,
    saved: Saved,
  ): AsyncGenerator<Progress, SaveOutcome | undefined>;
}

/** Runs `body` with a new archive for the target; nothing of it is left unless it was committed. */
export async function* withArchive<R>(
  context: FlowContext,
  target: SaveTarget,
  contentBytes: number,
  signal: AbortSignal,
  body: (archive: ArchiveInProgress) => AsyncGenerator<Progress, R>,
): AsyncGenerator<Progress, R> {
  const { store, archiveFormat: format, limits } = context;
  const { namespace, cacheKey } = target;
  const free = await store.freeBytes(signal);
  if (free !== undefined && free < contentBytes / bestRatio)
    throw new CacheError(
      "INSUFFICIENT_SPACE",
      `the store ${store.url} has only ${free} bytes free`,
    );
  const filename = archiveFilename(cacheKey, format);
  const writer = await store.create({ namespace, filename }, signal);
  const { maxArchiveBytes } = limits;
  const assembler = new ArchiveAssembler({ writer, format, maxArchiveBytes, signal });
  try {
    return yield* body({
      assembler,
      commit: async function* ({ mode, generation }, saved) {
        yield {
          phase: "COMMITTING",
          bytesDone: saved.bytes,
          bytesTotal: saved.bytes,
          filesDone: saved.fileCount,
          filesTotal: saved.fileCount,
        };
        const head = manifestHead(target, generation, saved.appendedBytes ?? 0);
        await assembler.finish(head, saved);
        const result = await writer.commit(mode, signal);
        return result === "exists" ? undefined : committed(context, target, writer, head, saved);
      },
    });
  } finally {
    await writer.abort();
  }
}

async function committed(
  { store, archiveFormat, logger }: FlowContext,
  target: SaveTarget,
  writer: ArchiveWriter,
  head: ManifestHead,
  saved: Saved,
): Promise<SaveOutcome> {
  const { namespace, cacheKey, environment } = target;
  const filename = archiveFilename(cacheKey, archiveFormat);
  const names = archiveNames(target);
  const own = names.findIndex((name) => name.filename === filename);
  // Loads would go on with an archive that they prefer to the new one.
  for (const name of names.slice(0, own)) if (await isThere(store, name)) await store.remove(name);
  for (const name of names.slice(own + 1))
    await store.remove(name).catch((error: unknown) => {
      logger.warn("could not remove the archive in the other format", { ...name, error });
    });
  return {
    kind: "SAVE",
    status: "SUCCESS",
    cache: {
      namespace,
      cacheKey,
      environment,
      filename,
      archiveBytes: writer.bytesWritten,
      contentBytes: saved.bytes,
      fileCount: saved.fileCount,
      createdAt: new Date(head.created_at),
      generation: head.generation,
    },
    leftOutFileCount: saved.leftOutFileCount,
  };
}

async function isThere(store: Store, name: ArchiveName): Promise<boolean> {
  const reader = await store.open(name);
  await reader?.close();
  return reader !== undefined;
}

function manifestHead(target: SaveTarget, generation: number, appendedBytes: number): ManifestHead {
  return {
    format: formatName,
    version: formatVersion,
    namespace: target.namespace,
    environment: target.environment,
    environment_key: target.environmentKey,
    generation,
    local_dir: target.place.clientPath,
    created_at: new Date().toISOString(),
    tool: `compilecache/${toolVersion}`,
    ...(appendedBytes > 0 ? { appended_bytes: appendedBytes } : {}),
  };
}

/** The generation of the stored cache; 0 where there is none, or none that can be read. */
async function storedGeneration(
  store: FlowContext["store"],
  target: SaveTarget,
  signal: AbortSignal,
): Promise<number> {
  const reader = await openStored(store, target, signal);
  if (!reader) return 0;
  try {
    return describe(reader, await openArchive(reader, signal)).generation;
  } catch (error) {
    if (error instanceof CacheError && error.reason !== "STORE_UNAVAILABLE") return 0;
    throw error;
  } finally {
    await reader.close();
  }
}

function requireWithinLimits({ limits }: FlowContext, scan: ScanResult): void {
  const files = scan.fileCount + scan.young.length;
  if (files > limits.maxFileCount)
    throw new CacheError(
      "CACHE_TOO_LARGE",
      `the directory holds ${files} files, and at most ${limits.maxFileCount} are allowed (MAX_FILE_COUNT)`,
    );
  const bytes = scan.bytes + scan.youngBytes;
  if (bytes > limits.maxContentBytes)
    throw new CacheError(
      "CACHE_TOO_LARGE",
      `the directory holds ${bytes} bytes, and at most ${limits.maxContentBytes} are allowed (MAX_CONTENT_SIZE_MB)`,
    );
}
