import type { ArchiveHead } from "../../archive/format/manifest.ts";
import { ArchiveAssembler } from "../../archive/pack/assembler.ts";
import { CacheError } from "../../domain/cache-error.ts";
import { archiveFilename } from "../../domain/cache-id.ts";
import type { LeftOutFiles } from "../../domain/left-out.ts";
import type { SaveOutcome } from "../../domain/outcome.ts";
import type { ArchiveName, ArchiveWriter, Store } from "../../store/store.ts";
import type { Progress } from "../../transfers/state.ts";
import { type CacheTarget, rootPathsOf } from "../cache-target.ts";
import type { FlowContext } from "../context.ts";
import { archiveNames } from "../stored-archives.ts";
import type { SaveAttempt } from "./attempt.ts";

/**
 * Compression never shrinks real kernels more than this: with less room than that, a save must fail.
 */
const bestRatio = 100;

/** What a finished archive holds. */
export interface Saved {
  readonly fileCount: number;
  readonly bytes: number;
  /** What stays out of it. */
  readonly leftOut: readonly LeftOutFiles[];
  /** Bytes of files that refreshes appended since the whole was packed. */
  readonly appendedBytes?: number;
}

/**
 * An archive on its way into the store, until the end of the block that holds it: what was not
 * committed is removed.
 */
export class NewArchive implements AsyncDisposable {
  readonly assembler: ArchiveAssembler;
  readonly #context: FlowContext;
  readonly #target: CacheTarget;
  readonly #writer: ArchiveWriter;
  readonly #signal: AbortSignal;

  constructor(
    context: FlowContext,
    target: CacheTarget,
    writer: ArchiveWriter,
    signal: AbortSignal,
  ) {
    const { archiveFormat: format, limits } = context;
    this.#context = context;
    this.#target = target;
    this.#writer = writer;
    this.#signal = signal;
    this.assembler = new ArchiveAssembler({ writer, format, limits, signal });
  }

  /** Finishes and commits it; undefined if the mode forbade that. */
  async *commit(
    { mode, generation }: Pick<SaveAttempt, "mode" | "generation">,
    saved: Saved,
  ): AsyncGenerator<Progress, SaveOutcome | undefined> {
    yield {
      phase: "COMMITTING",
      bytesDone: saved.bytes,
      bytesTotal: saved.bytes,
      filesDone: saved.fileCount,
      filesTotal: saved.fileCount,
    };
    const { namespace, environment, environmentKey } = this.#target;
    const head = {
      namespace,
      environment,
      environmentKey,
      generation,
      savedFrom: rootPathsOf(this.#target),
      createdAt: new Date(),
      origin: this.#context.origin,
      appendedBytes: saved.appendedBytes ?? 0,
    };
    await this.assembler.finish(head, saved, this.#context.trust.signer);
    const result = await this.#writer.commit(mode, this.#signal);
    if (result === "exists") return undefined;
    return committed(this.#context, this.#target, this.#writer, head, saved);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.abort();
  }
}

/**
 * Begins an archive for files of so many bytes. Throws INSUFFICIENT_SPACE, STORE_UNAVAILABLE, and
 * ARCHIVE_UNTRUSTED where this daemon would not load it.
 */
export async function createNewArchive(
  context: FlowContext,
  target: CacheTarget,
  contentBytes: number,
  signal: AbortSignal,
): Promise<NewArchive> {
  const { store, archiveFormat, trust } = context;
  const { namespace, cacheKey } = target;
  trust.requireOwnTrusted();
  const free = await store.freeBytes(signal);
  if (free !== undefined && free < contentBytes / bestRatio)
    throw new CacheError(
      "INSUFFICIENT_SPACE",
      `the store ${store.url} has only ${free} bytes free`,
    );
  const filename = archiveFilename(cacheKey, archiveFormat);
  const writer = await store.create({ namespace, filename }, signal);
  return new NewArchive(context, target, writer, signal);
}

async function committed(
  { store, archiveFormat, trust: { signer }, logger }: FlowContext,
  target: CacheTarget,
  writer: ArchiveWriter,
  head: ArchiveHead,
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
      createdAt: head.createdAt,
      generation: head.generation,
      ...(signer ? { signedBy: signer.id } : {}),
      ...(archiveFormat === "tar.zst" ? { origin: head.origin } : {}),
    },
    leftOut: saved.leftOut,
  };
}

async function isThere(store: Store, name: ArchiveName): Promise<boolean> {
  await using reader = await store.open(name);
  return reader !== undefined;
}
