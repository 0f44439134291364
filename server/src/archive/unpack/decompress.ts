import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { damagedArchive, malformedArchive } from "../../domain/archive-error.ts";
import { CacheError } from "../../domain/cache-error.ts";
import type { Checkpoint } from "../../local/tree/tree.ts";
import { fileKindBytes, fileKindOf } from "../format/file-kind.ts";
import { decompressFrames } from "./zstd-frames.ts";

/**
 * The tar stream in a file, which may be compressed with gzip or zstd, or not at all. Throws
 * ARCHIVE_CORRUPT, ARCHIVE_UNSAFE or ARCHIVE_UNSUPPORTED.
 */
export async function* decompress(
  chunks: AsyncIterable<Buffer>,
  checkpoint: Checkpoint,
): AsyncGenerator<Buffer> {
  const iterator = chunks[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    head = Buffer.concat([head, next.value]);
    if (head.length >= fileKindBytes) break;
  }
  const all = (async function* () {
    yield head;
    yield* { [Symbol.asyncIterator]: () => iterator };
  })();
  const kind = fileKindOf(head.subarray(0, fileKindBytes));
  if (kind === "gzip") yield* gunzip(all);
  else if (kind === "zstd") yield* decompressFrames(all, checkpoint);
  else yield* all;
}

/** What zlib says of the header of a member, or of what stands in its place: no digest covers that. */
const headerFailures = /incorrect header check|unknown compression method|unknown header flags/;

async function* gunzip(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = Readable.from(chunks, { objectMode: false, highWaterMark: 1024 * 1024 });
  const decoder = createGunzip({ chunkSize: 1024 * 1024 });
  source.on("error", (error) => decoder.destroy(error));
  try {
    yield* source.pipe(decoder) as AsyncIterable<Buffer>;
  } catch (error) {
    throw gzipError(error);
  } finally {
    source.destroy();
    decoder.destroy();
  }
}

function gzipError(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof CacheError) return error;
  if (code === "Z_BUF_ERROR")
    return damagedArchive("it ends in the middle of its gzip data", error);
  if (code !== "Z_DATA_ERROR") return error;
  if (headerFailures.test(message))
    return malformedArchive("something that is not gzip data follows its gzip data", error);
  // Whatever else cannot be decompressed cannot match the checksum that ends each member.
  return damagedArchive(`its gzip data does not match its checksum (${message})`, error);
}
