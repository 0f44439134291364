import { Parser, type ReadEntry } from "tar";
import {
  damagedArchive,
  malformedArchive,
  unsafeArchive,
  unsupportedArchive,
} from "../../domain/archive-error.ts";
import type { CacheError } from "../../domain/cache-error.ts";
import { type Limits, mostHeaderBytes, tooLarge } from "../../domain/limits.ts";
import { gzipMagic, zstdMagic } from "../format/format.ts";
import { type TarEntry, tarBlockBytes } from "../format/tar-header.ts";
import { judgeEntryName } from "./entry-name.ts";

/** What an archive of another tool may unpack to. */
export type UnpackLimits = Pick<Limits, "maxContentBytes" | "maxFileCount">;

/** Where the entries of a tar stream go. Names are judged by who writes, too. */
export interface EntrySink {
  makeDirectory(name: string): void;
  openFile(entry: TarEntry): EntryFile;
  /** Writes a file with the content of another; calls `onBytes` for each piece, with its length. */
  copyFile(from: string, entry: TarEntry, onBytes: (count: number) => void): void;
  removeFile(name: string): void;
}

export interface EntryFile {
  write(content: Uint8Array, position: number): void;
  finish(): void;
  close(): void;
}

const fileTypes = new Set(["File", "OldFile", "ContiguousFile"]);
const otherTypes: Readonly<Record<string, string>> = {
  SparseFile: "a sparse file, which is not read: make the archive without --sparse",
  ContinuationFile: "a part of a file of another volume, which is not read",
};

/**
 * Bytes that a tar stream may hold besides the content of its files, and what each entry may take.
 */
const maxOtherBytes = 16 * 1024 * 1024;

/** Bounds the memory that the names of files take. */
const maxNamesBytes = 128 * 1024 * 1024;

/**
 * Gives the files and directories of a tar stream that another tool made to a sink, as `tar -x` would: of
 * two files of one name the later one counts, and a hard link to an earlier file is a copy of it. Refuses
 * what is neither file nor directory. Throws ARCHIVE_CORRUPT, ARCHIVE_UNSAFE, ARCHIVE_UNSUPPORTED,
 * CACHE_TOO_LARGE or the sink's error.
 */
export class TarEntries {
  /** Files so far, and the sum of their sizes. */
  fileCount = 0;
  bytes = 0;
  readonly #limits: UnpackLimits;
  readonly #sink: EntrySink;
  readonly #onBytes: (count: number) => void;
  readonly #parser: Parser;
  /** The size of each file, by its name. */
  readonly #files = new Map<string, number>();
  #namesBytes = 0;
  #open: EntryFile | undefined;
  #head = Buffer.alloc(0);
  #streamBytes = 0;
  /** Content of files that came in the stream, and what was written, of copies and old versions too. */
  #contentBytes = 0;
  #writtenBytes = 0;
  #entries = 0;
  #sawEnd = false;
  #failure: unknown;

  /** `onBytes` is called with the length of each piece that was written. */
  constructor(sink: EntrySink, limits: UnpackLimits, onBytes: (count: number) => void) {
    this.#limits = limits;
    this.#sink = sink;
    this.#onBytes = onBytes;
    this.#parser = new Parser({
      onReadEntry: (entry) => this.#attempt(() => this.#takeEntry(entry)),
      onwarn: (code, message) => this.#fail(parserError(code, String(message))),
    });
    this.#parser.on("meta", (text: string) => this.#attempt(() => judgeMeta(text)));
    this.#parser.on("ignoredEntry", (entry: ReadEntry) =>
      this.#attempt(() => this.#passOver(entry)),
    );
    this.#parser.on("eof", () => {
      this.#sawEnd = true;
    });
    this.#parser.on("error", (error: unknown) => this.#fail(malformedArchive(String(error))));
  }

  /** Takes the next piece of the stream. */
  write(piece: Buffer): void {
    this.#judgeHead(piece);
    this.#streamBytes += piece.length;
    // The parser would buffer all that follows the end of the archive.
    if (!this.#sawEnd) this.#attempt(() => this.#parser.write(piece));
    const overhead = this.#streamBytes - this.#contentBytes;
    if (overhead > maxOtherBytes + this.#entries * mostHeaderBytes)
      this.#fail(unsafeArchive("the archive holds far more than its files account for"));
    if (this.#failure) throw this.#failure;
  }

  /** Ends the stream. */
  end(): void {
    this.#attempt(() => this.#parser.end());
    if (!this.#failure && this.#streamBytes % tarBlockBytes !== 0 && !this.#sawEnd)
      throw damagedArchive("its tar stream ends in the middle of a block");
    if (this.#failure) throw this.#failure;
    if (!this.#sawEnd)
      throw malformedArchive(
        "its tar stream stops without the two blocks that end it, so that something may be missing",
      );
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
    if (isGzip || isZstd) throw unsupportedArchive("the archive is compressed twice");
  }

  #takeEntry(entry: ReadEntry): void {
    const { type, path } = entry;
    if (`${path}${entry.linkpath ?? ""}`.includes("\ufffd"))
      throw unsupported(entry, "a name that is not UTF-8, or holds U+FFFD");
    if (type === "Directory" || type === "GNUDumpDir") this.#takeDirectory(entry);
    else if (fileTypes.has(type)) this.#takeFile(entry);
    else if (type === "Link") this.#takeLink(entry);
    else throw unsafe(entry, `${kindOf(type)}; only files and directories travel`);
  }

  #takeDirectory(entry: ReadEntry): void {
    this.#count(0);
    if (entry.path.replace(/\/+$/, "") !== ".") this.#sink.makeDirectory(entry.path);
    entry.resume();
  }

  #takeFile(entry: ReadEntry): void {
    const file = this.#sink.openFile(this.#begin(entry, entry.size));
    this.#open = file;
    let written = 0;
    entry.on("data", (piece: Buffer) =>
      this.#attempt(() => {
        file.write(piece, written);
        written += piece.length;
        this.#contentBytes += piece.length;
        this.#onWritten(piece.length);
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

  #takeLink(entry: ReadEntry): void {
    const linkpath = entry.linkpath ?? "";
    const from = judgeEntryName(linkpath);
    const size = this.#files.get(from);
    if (entry.size > 0) throw unsupported(entry, "a hard link with content of its own");
    if (size === undefined)
      throw unsafe(
        entry,
        `a hard link to ${JSON.stringify(linkpath)}, which is no earlier file of the archive`,
      );
    if (judgeEntryName(entry.path) !== from) {
      this.#sink.copyFile(from, this.#begin(entry, size), (count) => this.#onWritten(count));
      this.fileCount += 1;
    }
    entry.resume();
  }

  /** Counts a file, and takes an earlier one of its name away. */
  #begin(entry: ReadEntry, size: number): TarEntry {
    this.#count(size);
    const name = judgeEntryName(entry.path);
    const earlier = this.#files.get(name);
    if (earlier === undefined) this.#namesBytes += name.length;
    else {
      this.#sink.removeFile(name);
      this.fileCount -= 1;
      this.bytes -= earlier;
    }
    if (this.#namesBytes > maxNamesBytes)
      throw unsafeArchive("the archive holds more than 128 MiB of names");
    this.#files.set(name, size);
    const mtime = Math.floor((entry.mtime?.getTime() ?? 0) / 1000) || 0;
    return { name, size, mode: entry.mode ?? 0o644, mtime };
  }

  #onWritten(count: number): void {
    this.bytes += count;
    this.#writtenBytes += count;
    this.#onBytes(count);
  }

  #passOver(entry: ReadEntry): void {
    this.#count(0);
    if (entry.type === "TapeVolumeHeader") return;
    throw unsupported(entry, otherTypes[entry.type] ?? "an entry of a kind that is not known");
  }

  #count(bytes: number): void {
    const { maxContentBytes, maxFileCount } = this.#limits;
    this.#entries += 1;
    if (this.#entries > maxFileCount)
      throw tooLarge(this.#limits, "maxFileCount", "the archive holds", "entries");
    if (this.#writtenBytes + bytes > maxContentBytes)
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

function kindOf(type: string): string {
  const kind = type.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
  return `a ${kind.replace("fifo", "FIFO")}`;
}

function unsafe(entry: ReadEntry, what: string): CacheError {
  return unsafeArchive(`the archive holds ${JSON.stringify(entry.path)}, ${what}`);
}

function unsupported(entry: ReadEntry, what: string): CacheError {
  return unsupportedArchive(`the archive holds ${JSON.stringify(entry.path)}, ${what}`);
}

/** What the parser says in warnings. A header's checksum does not count as proof: any text fails it. */
function parserError(code: string, message: string): CacheError {
  if (message.startsWith("Truncated input"))
    return damagedArchive("its tar stream ends in the middle of a file");
  if (message.startsWith("Unrecognized")) return malformedArchive("it holds no file");
  return malformedArchive(`its tar stream has a header that makes no sense (${code}: ${message})`);
}

/**
 * Refuses extended headers that the parser misreads: it takes a sparse file for a plain one, and cuts a
 * name at a NUL or a line break.
 */
function judgeMeta(text: string): void {
  const unsafeName = () => unsafeArchive("the archive holds a name with a NUL in it");
  const isPax = /^\d+ [^=\n]+=/.test(text);
  if (!isPax && text.replace(/\0+$/, "").includes("\0")) throw unsafeName();
  for (const line of isPax ? text.split("\n") : []) {
    const [, length, key] = /^(\d+) ([^=]*)=/.exec(line) ?? [];
    if (key?.startsWith("GNU.sparse."))
      throw unsupportedArchive(`the archive holds ${otherTypes.SparseFile}`);
    if (key !== "path" && key !== "linkpath") continue;
    if (line.includes("\0")) throw unsafeName();
    if (Number(length) !== Buffer.byteLength(line) + 1)
      throw unsupportedArchive(
        "the archive holds a name with a line break in it, or one that is not UTF-8",
      );
  }
}
