import { fileKindBytes, fileKindOf } from "../../archive/format/file-kind.ts";
import { type OwnArchive, openArchive } from "../../archive/format/open-archive.ts";
import { readExactly } from "../../archive/format/read-exactly.ts";
import { unpackForeign } from "../../archive/unpack/unpack.ts";
import { CacheError } from "../../domain/cache-error.ts";
import { requireWithin } from "../../domain/limits.ts";
import type { ArchiveReader } from "../../store/store.ts";
import { nameOf } from "../cache-target.ts";
import type { FlowContext } from "../context.ts";
import { requireCacheOf } from "../stored-archives.ts";
import type { SaveTarget } from "./attempt.ts";

// What a save finds under its cache's name. It may be a file that no load would take, which a save must
// neither call stored nor replace unasked: then these throw the archive's error.

/**
 * The archive, if it is ours; undefined for one of another tool, or of a newer daemon. Looks at the ends
 * of the file alone.
 */
export async function openToSkip(
  { workers, trust }: FlowContext,
  target: SaveTarget,
  reader: ArchiveReader,
  signal: AbortSignal,
): Promise<OwnArchive | undefined> {
  let archive: OwnArchive | undefined;
  try {
    archive = await openArchive(reader, workers.under(signal), signal);
  } catch (error) {
    // Of a newer format: a daemon that reads it will judge it.
    if (error instanceof CacheError && error.reason === "ARCHIVE_UNSUPPORTED") return undefined;
    throw error;
  }
  if (archive) requireCacheOf(target, archive);
  trust.requireTrusted(nameOf(target), archive);
  if (!archive)
    fileKindOf(await readExactly(reader, 0, Math.min(fileKindBytes, reader.bytes), signal));
  return archive;
}

/** The archive, if it is ours; undefined for one of another tool, once that was read to its end. */
export async function openToRefresh(
  { workers, limits, trust }: FlowContext,
  target: SaveTarget,
  reader: ArchiveReader,
  signal: AbortSignal,
): Promise<OwnArchive | undefined> {
  const work = workers.under(signal);
  const archive = await openArchive(reader, work, signal);
  if (archive) requireCacheOf(target, archive);
  trust.requireUnited(nameOf(target), archive);
  if (archive) return archive;
  requireWithin(limits, "maxArchiveBytes", reader.bytes, "the stored cache has");
  for await (const _ of unpackForeign({ reader, stage: undefined, limits, work, signal }));
  return undefined;
}
