import { damagedArchive } from "../../domain/archive-error.ts";

/** Reads a file from its start, in pieces of the size that is asked for. */
export class Bytes {
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async atEnd(): Promise<boolean> {
    return !(await this.#hold(1));
  }

  /** The next bytes, which stay; fewer at the end of the file. */
  async look(count: number): Promise<Buffer> {
    await this.#hold(count);
    return this.#held.subarray(0, count);
  }

  /** The next bytes, which stay. Throws ARCHIVE_CORRUPT, which proves damage, if there are not as many. */
  async peek(count: number): Promise<Buffer> {
    if (!(await this.#hold(count)))
      throw damagedArchive("it ends in the middle of a zstd frame, shorter than that frame says");
    return this.#held.subarray(0, count);
  }

  /** Takes the next bytes. Throws as `peek` does. */
  async take(count: number): Promise<Buffer> {
    const taken = await this.peek(count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  /** Takes bytes that nobody needs. Throws as `peek` does. */
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
