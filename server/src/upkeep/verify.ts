import { decodeIndexSection } from "../archive/format/file-index.ts";
import { openArchive } from "../archive/format/open-archive.ts";
import { unpackForeign } from "../archive/unpack/unpack.ts";
import { CacheError } from "../domain/cache-error.ts";
import { requireItsName } from "../flows/stored-archives.ts";
import { type ArchiveName, ArchiveReplaced } from "../store/store.ts";
import { pathOf, type ReadSoFar, type UpkeepContext } from "./context.ts";

/** What became of one archive. */
export interface Verdict {
  readonly name: ArchiveName;
  /** Absent where it is sound; else why a load would not take it. */
  readonly error?: CacheError;
  /** Who signed it, as it says; undefined for nobody. */
  readonly signedBy?: string;
  readonly bytes: number;
}

/**
 * Reads an archive to its end: manifest, seek table, file index, every frame against its digest, its
 * signature if there are keys to trust. Yields the bytes read so far. One that another tool made, or that
 * has lost its end, must unpack to its end, as for a load. What replaces it meanwhile is read instead.
 * Returns undefined where it is gone. Changes nothing.
 */
export async function* verifyArchive(
  context: UpkeepContext,
  name: ArchiveName,
  signal: AbortSignal,
): AsyncGenerator<ReadSoFar, Verdict | undefined> {
  const { store, work, limits, trust } = context;
  await using reader = await store.open(name, signal);
  if (!reader) return undefined;
  const verdict = { name, bytes: reader.bytes };
  try {
    const archive = await openArchive(reader, work, signal);
    if (archive) requireItsName(name, archive);
    trust.requireTrusted(pathOf(name), archive);
    if (!archive) {
      const reading = unpackForeign({ reader, stage: undefined, limits, work, signal });
      // Progress of what unpacks is not known in bytes of the archive.
      for await (const _ of reading) yield { done: 0, total: reader.bytes };
      yield { done: reader.bytes, total: reader.bytes };
      return verdict;
    }
    for (const frame of await archive.readIndex(signal)) {
      decodeIndexSection(frame.section, frame.contentBytes);
      await archive.readVerifiedFrame(frame, signal);
      yield { done: frame.offset + frame.bytes, total: reader.bytes };
    }
    yield { done: reader.bytes, total: reader.bytes };
    const { signature } = archive;
    return { ...verdict, ...(signature ? { signedBy: signature.keyId } : {}) };
  } catch (error) {
    if (error instanceof ArchiveReplaced) return yield* verifyArchive(context, name, signal);
    if (!(error instanceof CacheError) || !isOfTheArchive(error)) throw error;
    return { ...verdict, error };
  }
}

/** Whether a load would refuse the archive, whatever machine it is for. */
function isOfTheArchive({ reason }: CacheError): boolean {
  return reason.startsWith("ARCHIVE_") || reason === "CACHE_TOO_LARGE";
}
