import { fileKindBytes, fileKindOf } from "../../archive/format/file-kind.ts";
import { type OwnArchive, openArchive } from "../../archive/format/open-archive.ts";
import { readExactly } from "../../archive/format/read-exactly.ts";
import { CacheError } from "../../domain/cache-error.ts";
import type { SaveOutcome } from "../../domain/outcome.ts";
import type { ArchiveReader } from "../../store/store.ts";
import type { Progress } from "../../transfers/state.ts";
import type { FlowContext } from "../context.ts";
import { describe, requireCacheOf } from "../stored-archives.ts";
import { withStored } from "../with-stored.ts";
import type { SaveTarget } from "./attempt.ts";
import { skipped } from "./skipped.ts";

/**
 * ALREADY_STORED, if the store has an archive that is this cache as far as its two ends tell; undefined
 * if it has none, or had one that proved damaged. Throws the archive's error if the file under the
 * cache's name is something else: neither is the cache stored, nor may the file be replaced unasked.
 */
export async function* skipIfStored(
  context: FlowContext,
  target: SaveTarget,
  signal: AbortSignal,
): AsyncGenerator<Progress, SaveOutcome | undefined> {
  try {
    return yield* withStored(context, target, signal, async function* (reader) {
      yield { phase: "CHECKING" };
      if (!reader) return undefined;
      const archive = await openJudged(target, reader, signal);
      return skipped("ALREADY_STORED", [], describe(reader, archive));
    });
  } catch (error) {
    if (error instanceof CacheError && error.provesDamage) return undefined;
    throw error;
  }
}

/** The archive, if it is ours; undefined for one of another tool, or of a newer daemon. */
async function openJudged(
  target: SaveTarget,
  reader: ArchiveReader,
  signal: AbortSignal,
): Promise<OwnArchive | undefined> {
  try {
    const archive = await openArchive(reader, signal);
    if (archive) {
      requireCacheOf(target, archive);
      return archive;
    }
  } catch (error) {
    // Of a newer format: a daemon that reads it will judge it.
    if (error instanceof CacheError && error.reason === "ARCHIVE_UNSUPPORTED") return undefined;
    throw error;
  }
  fileKindOf(await readExactly(reader, 0, Math.min(fileKindBytes, reader.bytes), signal));
  return undefined;
}
