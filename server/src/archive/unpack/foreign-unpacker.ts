import { CacheError } from "../../domain/cache-error.ts";
import { requireSpace } from "../../local/disk-space.ts";
import type { Checkpoint } from "../../local/tree.ts";
import { decompress } from "./decompress.ts";
import { EntryJudge } from "./entry-judge.ts";
import { EntryWriter, type StageDirectory } from "./entry-writer.ts";
import { TarEntries, type UnpackLimits } from "./tar-entries.ts";

/** How much has been unpacked: files, and the sum of their sizes. */
export interface Unpacked {
  readonly fileCount: number;
  readonly bytes: number;
}

const reportBytes = 32 * 1024 * 1024;

/**
 * Unpacks an archive that another tool made (`tar -czf`, `tar --zstd -cf`, `tar -cf`) into a stage, or
 * without one reads it to its end. Its size is not known beforehand, so bytes, files and disk space are
 * checked on the way. Calls `report` with the totals so far every 32 MiB. Throws ARCHIVE_CORRUPT,
 * ARCHIVE_UNSAFE, ARCHIVE_UNSUPPORTED, CACHE_TOO_LARGE or INSUFFICIENT_SPACE. Runs in a worker.
 */
export async function unpackForeignStream(
  stage: StageDirectory | undefined,
  chunks: AsyncIterable<Buffer>,
  limits: UnpackLimits,
  checkpoint: Checkpoint,
  report: (soFar: Unpacked) => void,
): Promise<Unpacked> {
  let sinceReport = 0;
  const onBytes = (count: number) => {
    checkpoint();
    sinceReport += count;
    if (sinceReport < reportBytes) return;
    sinceReport = 0;
    if (stage) requireSpace(stage.path, stage.shownAs, reportBytes, 0);
    report(entries);
  };
  const entries = new TarEntries(
    stage ? new EntryWriter(stage) : new EntryJudge(),
    limits,
    onBytes,
  );
  const content = decompress(chunks);
  try {
    for (let next = await content.next(); !next.done; next = await content.next()) {
      checkpoint();
      entries.write(next.value);
    }
    entries.end();
  } catch (error) {
    throw (await damageBehind(error, content, limits, checkpoint)) ?? error;
  } finally {
    entries.close();
    await content.return(undefined);
  }
  return { fileCount: entries.fileCount, bytes: entries.bytes };
}

/**
 * Damage that the rest of a refused archive proves: what its tar stream says counts for nothing if a
 * checksum behind it, of gzip or zstd, does not match.
 */
async function damageBehind(
  refusal: unknown,
  rest: AsyncGenerator<Buffer>,
  { maxContentBytes }: UnpackLimits,
  checkpoint: Checkpoint,
): Promise<CacheError | undefined> {
  if (!(refusal instanceof CacheError) || !refusal.reason.startsWith("ARCHIVE_")) return undefined;
  if (refusal.provesDamage) return undefined;
  try {
    let bytes = 0;
    for (let next = await rest.next(); !next.done; next = await rest.next()) {
      checkpoint();
      bytes += next.value.length;
      if (bytes > maxContentBytes) return undefined;
    }
  } catch (error) {
    if (!(error instanceof CacheError) || error.provesDamage) return error as CacheError;
    if (!error.reason.startsWith("ARCHIVE_")) return error;
  }
  return undefined;
}
