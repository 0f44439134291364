import { once } from "node:events";
import { createZstdDecompress } from "node:zlib";
import { CacheError } from "../../domain/cache-error.ts";
import {
  indexMagic,
  manifestMagic,
  skippableMagicFirst,
  skippableMagicLast,
  zstdMagic,
} from "../format/format.ts";

/**
 * Decompresses a stream of zstd frames one by one, because Node 24 silently stops after the first.
 * Ignores skippable frames, except our own: they show that an archive has lost its seek table. Throws
 * ARCHIVE_CORRUPT.
 */
export async function* decompressFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = new Bytes(chunks);
  while (!(await source.atEnd())) {
    const magic = (await source.peek(4)).readUInt32LE(0);
    if (magic === indexMagic || magic === manifestMagic)
      throw new CacheError("ARCHIVE_CORRUPT", "the archive has lost its end");
    if (magic >= skippableMagicFirst && magic <= skippableMagicLast) {
      await source.take(4);
      await source.skip((await source.take(4)).readUInt32LE(0));
    } else if (magic === zstdMagic) yield* decompressFrame(source);
    else
      throw new CacheError(
        "ARCHIVE_CORRUPT",
        "the archive holds something that is not a zstd frame",
      );
  }
}

async function* decompressFrame(source: Bytes): AsyncGenerator<Buffer> {
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
    for await (const piece of rawFrame(source)) {
      await feed(piece);
      if (failure) throw failure;
      while (out.length > 0) yield out.shift() as Buffer;
    }
    decoder.end();
    await ended;
    if (failure) throw failure;
    yield* out;
  } catch (cause) {
    if (cause instanceof CacheError) throw cause;
    throw new CacheError("ARCHIVE_CORRUPT", "the archive cannot be decompressed", { cause });
  } finally {
    decoder.destroy();
  }
}

/** The bytes of one frame, delimited by its header and block headers (RFC 8878, section 3.1.1). */
async function* rawFrame(source: Bytes): AsyncGenerator<Buffer> {
  const start = await source.take(5);
  const descriptor = start.readUInt8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const contentSizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  yield start;
  yield await source.take((singleSegment ? 0 : 1) + dictionaryBytes + contentSizeBytes);
  for (let last = false; !last; ) {
    const header = await source.take(3);
    const bits = header.readUIntLE(0, 3);
    last = (bits & 1) !== 0;
    const type = (bits >> 1) & 3;
    yield header;
    // A run-length block of any size stores one byte.
    yield await source.take(type === 1 ? 1 : bits >> 3);
  }
  if (descriptor & 0x04) yield await source.take(4);
}

/** Reads a stream in pieces of the size that is asked for. */
class Bytes {
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async atEnd(): Promise<boolean> {
    return !(await this.#hold(1));
  }

  async peek(count: number): Promise<Buffer> {
    if (!(await this.#hold(count)))
      throw new CacheError("ARCHIVE_CORRUPT", "the archive ends in the middle of a frame");
    return this.#held.subarray(0, count);
  }

  async take(count: number): Promise<Buffer> {
    const taken = await this.peek(count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) left -= (await this.take(Math.min(left, 65536))).length;
  }

  async #hold(count: number): Promise<boolean> {
    const pieces = [this.#held];
    let length = this.#held.length;
    while (length < count) {
      const next = await this.#chunks.next();
      if (next.done) break;
      pieces.push(next.value);
      length += next.value.length;
    }
    if (pieces.length > 1) this.#held = Buffer.concat(pieces);
    return this.#held.length >= count;
  }
}
