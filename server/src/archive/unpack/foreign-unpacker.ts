import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { Parser, type ReadEntry } from "tar";
import { CacheError } from "../../domain/cache-error.ts";
import { type Limits, tooLarge } from "../../domain/limits.ts";
import { requireSpace } from "../../local/disk-space.ts";
import type { Checkpoint } from "../../local/tree.ts";
import { gzipMagic, zstdMagic } from "../format/format.ts";
import { judgeEntryName } from "./entry-name.ts";
import { EntryWriter, type OpenEntry, type StageDirectory } from "./entry-writer.ts";
import { decompressFrames } from "./zstd-frames.ts";

/** What an archive of another tool may unpack to. */
export type UnpackLimits = Pick<Limits, "maxContentBytes" | "maxFileCount">;

/** How much has been unpacked: files, and the sum of their sizes. */
export interface Unpacked {
  readonly fileCount: number;
  readonly bytes: number;
}

const fileTypes = new Set(["File", "OldFile", "ContiguousFile"]);
const spaceCheckBytes = 32 * 1024 * 1024;

/**
 * Bytes that a tar stream may hold besides the content of its files: for each entry, and beyond that.
 */
const maxEntryOverheadBytes = 16 * 1024;
const maxOtherBytes = 16 * 1024 * 1024;

/**
 * Unpacks an archive that another tool made (`tar -czf`, `tar --zstd -cf`) into a stage. Its size is
 * not known beforehand, so bytes, files and disk space are checked on the way. Calls `report` with the
 * totals so far every 32 MiB. Throws ARCHIVE_CORRUPT, ARCHIVE_UNSAFE, CACHE_TOO_LARGE or
 * INSUFFICIENT_SPACE. Runs in a worker.
 */
export async function unpackForeignStream(
  stage: StageDirectory,
  chunks: AsyncIterable<Buffer>,
  limits: UnpackLimits,
  checkpoint: Checkpoint,
  report: (soFar: Unpacked) => void,
): Promise<Unpacked> {
  const unpacking = new TarUnpacking(stage, limits);
  let reported = 0;
  try {
    for await (const piece of decompress(chunks)) {
      checkpoint();
      unpacking.write(piece);
      if (unpacking.bytes - reported >= spaceCheckBytes) {
        reported = unpacking.bytes;
        requireSpace(stage.path, stage.shownAs, spaceCheckBytes, 0);
        report(unpacking);
      }
    }
    unpacking.end();
  } finally {
    unpacking.close();
  }
  return { fileCount: unpacking.fileCount, bytes: unpacking.bytes };
}

async function* decompress(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  const head: Buffer = first.done ? Buffer.alloc(0) : first.value;
  const all = (async function* () {
    yield head;
    yield* { [Symbol.asyncIterator]: () => iterator };
  })();
  if (head.length >= 2 && head.readUInt16BE(0) === gzipMagic) yield* gunzip(all);
  else yield* decompressFrames(all);
}

async function* gunzip(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = Readable.from(chunks, { objectMode: false, highWaterMark: 1024 * 1024 });
  const decoder = createGunzip({ chunkSize: 1024 * 1024 });
  source.on("error", (error) => decoder.destroy(error));
  try {
    yield* source.pipe(decoder) as AsyncIterable<Buffer>;
  } catch (cause) {
    if (cause instanceof CacheError) throw cause;
    throw new CacheError("ARCHIVE_CORRUPT", "the archive cannot be decompressed", { cause });
  } finally {
    source.destroy();
    decoder.destroy();
  }
}

/** Writes the files of a tar stream. Refuses anything but plain files and directories. */
class TarUnpacking {
  fileCount = 0;
  /** Bytes of files written so far. */
  bytes = 0;
  readonly #limits: UnpackLimits;
  readonly #writer: EntryWriter;
  readonly #parser: Parser;
  #open: OpenEntry | undefined;
  #head = Buffer.alloc(0);
  #streamBytes = 0;
  #entries = 0;
  #sawEnd = false;
  #failure: unknown;

  constructor(stage: StageDirectory, limits: UnpackLimits) {
    this.#limits = limits;
    this.#writer = new EntryWriter(stage);
    this.#parser = new Parser({
      onReadEntry: (entry) => this.#attempt(() => this.#unpackEntry(entry)),
      onwarn: (code, message) => this.#fail(damaged(`${code}: ${String(message)}`)),
    });
    this.#parser.on("meta", (text: string) => this.#attempt(() => judgeMeta(text)));
    this.#parser.on("ignoredEntry", (entry: ReadEntry) =>
      this.#fail(unsafe(entry, "of an unknown kind")),
    );
    this.#parser.on("eof", () => {
      this.#sawEnd = true;
    });
    this.#parser.on("error", (error: unknown) => this.#fail(damaged(String(error))));
  }

  write(piece: Buffer): void {
    this.#judgeHead(piece);
    this.#streamBytes += piece.length;
    // The parser would buffer all that follows the end of the archive.
    if (!this.#sawEnd) this.#attempt(() => this.#parser.write(piece));
    const overhead = this.#streamBytes - this.bytes;
    if (overhead > maxOtherBytes + this.#entries * maxEntryOverheadBytes)
      this.#fail(
        new CacheError("ARCHIVE_UNSAFE", "the archive holds far more than its files account for"),
      );
    if (this.#failure) throw this.#failure;
  }

  end(): void {
    this.#attempt(() => this.#parser.end());
    if (this.#failure) throw this.#failure;
    if (!this.#sawEnd) throw damaged("it stops before its end-of-archive blocks");
  }

  /** Closes what a failure left open. */
  close(): void {
    this.#open?.close();
    this.#open = undefined;
  }

  // Without this check, the parser would decompress the stream a second time.
  #judgeHead(piece: Buffer): void {
    if (this.#head.length >= 4) return;
    this.#head = Buffer.concat([this.#head, piece.subarray(0, 4)]);
    const isGzip = this.#head.length >= 2 && this.#head.readUInt16BE(0) === gzipMagic;
    const isZstd = this.#head.length >= 4 && this.#head.readUInt32LE(0) === zstdMagic;
    if (isGzip || isZstd) throw damaged("it is compressed twice");
  }

  #unpackEntry(entry: ReadEntry): void {
    if (entry.path.includes("\ufffd")) this.#fail(unsafe(entry, "a name that is not UTF-8"));
    else if (entry.type === "Directory" || entry.type === "GNUDumpDir")
      this.#unpackDirectory(entry);
    else if (fileTypes.has(entry.type)) this.#unpackFile(entry);
    else this.#fail(unsafe(entry, `of the kind ${entry.type}; only files and directories travel`));
    if (this.#failure) entry.resume();
  }

  #unpackDirectory(entry: ReadEntry): void {
    this.#count(0);
    if (entry.path.replace(/\/+$/, "") !== ".") this.#writer.makeDirectory(entry.path);
    entry.resume();
  }

  #unpackFile(entry: ReadEntry): void {
    this.#count(entry.size);
    const file = this.#writer.openFile({
      name: judgeEntryName(entry.path),
      size: entry.size,
      mode: entry.mode ?? 0o644,
      mtime: Math.floor((entry.mtime?.getTime() ?? 0) / 1000) || 0,
    });
    this.#open = file;
    let written = 0;
    entry.on("data", (piece: Buffer) =>
      this.#attempt(() => {
        file.write(piece, written);
        written += piece.length;
        this.bytes += piece.length;
      }),
    );
    entry.on("end", () =>
      this.#attempt(() => {
        file.finish();
        this.close();
        this.fileCount += 1;
      }),
    );
  }

  #count(bytes: number): void {
    const { maxContentBytes, maxFileCount } = this.#limits;
    this.#entries += 1;
    if (this.#entries > maxFileCount)
      throw tooLarge(this.#limits, "maxFileCount", "the archive holds", "entries");
    if (this.bytes + bytes > maxContentBytes)
      throw tooLarge(this.#limits, "maxContentBytes", "the archive unpacks to", "bytes");
  }

  // The parser swallows what its listeners throw, so the first failure is kept here.
  #attempt(body: () => void): void {
    try {
      if (!this.#failure) body();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
  }
}

function unsafe(entry: ReadEntry, why: string): CacheError {
  return new CacheError(
    "ARCHIVE_UNSAFE",
    `the archive holds ${JSON.stringify(entry.path)}, ${why}`,
  );
}

/**
 * Refuses extended headers that the parser misreads: it takes a sparse file for a plain one, and cuts a
 * name at a NUL or a line break.
 */
function judgeMeta(text: string): void {
  const refuse = (what: string) => new CacheError("ARCHIVE_UNSAFE", `the archive holds ${what}`);
  const isPax = /^\d+ [^=\n]+=/.test(text);
  if (!isPax && text.replace(/\0+$/, "").includes("\0")) throw refuse("a name with a NUL in it");
  for (const line of isPax ? text.split("\n") : []) {
    const [, length, key] = /^(\d+) ([^=]*)=/.exec(line) ?? [];
    if (key?.startsWith("GNU.sparse.")) throw refuse("a sparse file");
    if (key !== "path") continue;
    if (line.includes("\0")) throw refuse("a name with a NUL in it");
    if (Number(length) !== Buffer.byteLength(line) + 1)
      throw refuse("a name with a line break in it, or that is not UTF-8");
  }
}

function damaged(why: string): CacheError {
  return new CacheError("ARCHIVE_CORRUPT", `the archive is damaged: ${why}`);
}
