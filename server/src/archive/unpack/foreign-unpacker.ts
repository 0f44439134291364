import { CacheError } from "../../domain/cache-error.ts";
import { requireSpace } from "../../local/space/disk-space.ts";
import type { Checkpoint } from "../../local/tree/tree.ts";
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

/** How much of a refused archive is unpacked in search of a checksum; kernels shrink to a hundredth. */
const mostUnprovenBytes = 64 * 1024 * 1024;
const mostUnprovenRatio = 100;

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
    stage ? new EntryWriter(stage, limits) : new EntryJudge(limits),
    limits,
    onBytes,
  );
  const archive = new CountedChunks(chunks);
  const content = decompress(archive, checkpoint);
  try {
    for (let next = await content.next(); !next.done; next = await content.next()) {
      checkpoint();
      entries.write(next.value);
    }
    entries.end();
  } catch (error) {
    throw (await damageBehind(error, content, archive, checkpoint)) ?? error;
  } finally {
    entries.close();
    await content.return(undefined);
  }
  return { fileCount: entries.fileCount, bytes: entries.bytes };
}

/** An archive as it comes, and how much of it came. */
class CountedChunks implements AsyncIterable<Buffer> {
  bytes = 0;
  readonly #chunks: AsyncIterable<Buffer>;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for await (const chunk of this.#chunks) {
      this.bytes += chunk.length;
      yield chunk;
    }
  }
}

/**
 * Damage that the rest of a refused archive proves: what its tar stream says counts for nothing if a
 * checksum behind it, of gzip or zstd, does not match. Gives up on what unpacks to far more than its
 * length accounts for.
 */
async function damageBehind(
  refusal: unknown,
  rest: AsyncGenerator<Buffer>,
  archive: CountedChunks,
  checkpoint: Checkpoint,
): Promise<unknown> {
  if (!isOfArchive(refusal) || refusal.provesDamage) return undefined;
  try {
    let bytes = 0;
    for (let next = await rest.next(); !next.done; next = await rest.next()) {
      checkpoint();
      bytes += next.value.length;
      if (bytes > mostUnprovenBytes + mostUnprovenRatio * archive.bytes) return undefined;
    }
  } catch (error) {
    if (!isOfArchive(error) || error.provesDamage) return error;
  }
  return undefined;
}

function isOfArchive(error: unknown): error is CacheError {
  return error instanceof CacheError && error.reason.startsWith("ARCHIVE_");
}
