import { once } from "node:events";
import { createZstdDecompress } from "node:zlib";
import {
  damagedArchive,
  malformedArchive,
  unsafeArchive,
  unsupportedArchive,
} from "../../domain/archive-error.ts";
import { CacheError } from "../../domain/cache-error.ts";
import type { Checkpoint } from "../../local/tree/tree.ts";
import { maxFrames, skippableMagicFirst, skippableMagicLast, zstdMagic } from "../format/format.ts";
import { tarBlockBytes } from "../format/tar-header.ts";
import { Bytes } from "./bytes.ts";
import { findOwnEnd } from "./own-end.ts";

/** As much as any zstd reads that was not told otherwise: `--long=27`. */
const maxWindowLog = 27;

/** How many frames and blocks a stream may have besides one for each block of tar. */
const mostIdleParts = 2 * maxFrames;

/**
 * Decompresses a stream of zstd frames one by one, because Node 24 silently stops after the first.
 * Ignores skippable frames, except our own: they show that an archive has lost its seek table. Calls
 * `checkpoint` before each frame and block. Throws ARCHIVE_CORRUPT, ARCHIVE_UNSUPPORTED, or ARCHIVE_UNSAFE for an
 * archive of frames that hold next to nothing.
 */
export async function* decompressFrames(
  chunks: AsyncIterable<Buffer>,
  checkpoint: Checkpoint,
): AsyncGenerator<Buffer> {
  const source = new Bytes(chunks);
  let contentBytes = 0;
  let parts = 0;
  const countPart = () => {
    checkpoint();
    parts += 1;
    if (parts > mostIdleParts + contentBytes / tarBlockBytes)
      throw unsafeArchive("the archive has far more zstd frames than what it holds accounts for");
  };
  while (!(await source.atEnd())) {
    countPart();
    const magic = (await source.peek(4)).readUInt32LE(0);
    if (magic >= skippableMagicFirst && magic <= skippableMagicLast) {
      await findOwnEnd(source);
      await source.take(4);
      await source.skip((await source.take(4)).readUInt32LE(0));
    } else if (magic === zstdMagic) {
      for await (const piece of decompressFrame(source, countPart)) {
        contentBytes += piece.length;
        yield piece;
      }
    } else throw malformedArchive("something that is not zstd data follows its zstd data");
  }
}

async function* decompressFrame(source: Bytes, onBlock: () => void): AsyncGenerator<Buffer> {
  const header = await readFrameHeader(source);
  const decoder = createZstdDecompress();
  const out: Buffer[] = [];
  let failure: unknown;
  let onFailure = () => {};
  decoder.on("data", (chunk: Buffer) => out.push(chunk));
  decoder.on("error", (error) => {
    failure = error;
    onFailure();
  });
  const feed = (piece: Buffer) =>
    new Promise<void>((resolve) => {
      onFailure = resolve;
      decoder.write(piece, () => resolve());
    });
  const ended = once(decoder, "end").catch(() => {});
  try {
    for await (const piece of rawFrame(source, header, onBlock)) {
      await feed(piece);
      if (failure) throw failure;
      while (out.length > 0) yield out.shift() as Buffer;
    }
    decoder.end();
    await ended;
    if (failure) throw failure;
    yield* out;
  } catch (error) {
    throw zstdError(error, header);
  } finally {
    decoder.destroy();
  }
}

/** What a frame whose checksum is wrong, or cannot be computed, makes zstd say. */
const contentFailures =
  /_(checksum_wrong|corruption_detected|literals_headerWrong|dictionary_corrupted)$/;

function zstdError(error: unknown, { hasChecksum }: FrameHeader): unknown {
  const { code = "", message } = error as NodeJS.ErrnoException;
  if (error instanceof CacheError || !code.startsWith("ZSTD_error_")) return error;
  if (code === "ZSTD_error_memory_allocation") return error;
  if (hasChecksum && contentFailures.test(code))
    return damagedArchive(`a zstd frame does not match its checksum (${message})`, error);
  return malformedArchive(`a zstd frame cannot be decompressed (${message})`, error);
}

/** The header of a frame (RFC 8878, section 3.1.1.1). */
interface FrameHeader {
  readonly bytes: readonly Buffer[];
  readonly hasChecksum: boolean;
}

async function readFrameHeader(source: Bytes): Promise<FrameHeader> {
  const start = await source.take(5);
  const descriptor = start.readUInt8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const contentSizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  const windowBytes = singleSegment ? 0 : 1;
  const rest = await source.take(windowBytes + dictionaryBytes + contentSizeBytes);
  if (descriptor & 0x08) throw unsupportedArchive("the archive has a zstd frame of a newer kind");
  if (rest.subarray(windowBytes, windowBytes + dictionaryBytes).some((byte) => byte !== 0))
    throw unsupportedArchive(
      "the archive was compressed with a zstd dictionary, which is not in it",
    );
  const windowLog = singleSegment ? sizeLog(rest.subarray(dictionaryBytes)) : windowLogOf(rest);
  if (windowLog > maxWindowLog)
    throw unsupportedArchive(
      `the archive was compressed with zstd --long=${windowLog}, which takes 2^${windowLog} bytes of memory ` +
        `to read: at most --long=${maxWindowLog} is read`,
    );
  return { bytes: [start, rest], hasChecksum: (descriptor & 0x04) !== 0 };
}

function windowLogOf(rest: Buffer): number {
  const window = rest.readUInt8(0);
  const hasMantissa = (window & 7) !== 0;
  return 10 + (window >> 3) + (hasMantissa ? 1 : 0);
}

/** The window of a single segment is its content. */
function sizeLog(size: Buffer): number {
  const bytes = size.length === 2 ? size.readUInt16LE(0) + 256 : Number(littleEndian(size));
  return Math.ceil(Math.log2(Math.max(1, bytes)));
}

function littleEndian(bytes: Buffer): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** The bytes of one frame, delimited by its header and block headers. */
async function* rawFrame(
  source: Bytes,
  { bytes, hasChecksum }: FrameHeader,
  onBlock: () => void,
): AsyncGenerator<Buffer> {
  yield* bytes;
  for (let last = false; !last; ) {
    onBlock();
    const header = await source.take(3);
    const bits = header.readUIntLE(0, 3);
    last = (bits & 1) !== 0;
    const type = (bits >> 1) & 3;
    yield header;
    // A run-length block of any size stores one byte.
    yield await source.take(type === 1 ? 1 : bits >> 3);
  }
  if (hasChecksum) yield await source.take(4);
}
