import { hash } from "node:crypto";
import { CacheError } from "../../domain/cache-error.ts";
import type { Environment } from "../../domain/environment.ts";
import type { RootPaths } from "../../domain/root-paths.ts";
import type { ArchiveReader } from "../../store/store.ts";
import { indexMagic, manifestMagic, skippableHeaderBytes } from "./format.ts";
import { decodeManifest, type FrameRecord, type Manifest, savedFromOf } from "./manifest.ts";
import { decodeSeekTable, seekTableBytes, seekTableFooterBytes } from "./seek-table.ts";

/** A data frame of an open archive. */
export interface ArchiveFrame {
  /** Where it starts in the archive, and its size there. */
  readonly offset: number;
  readonly bytes: number;
  /** Hexadecimal SHA-256 of those bytes. */
  readonly sha256: string;
  /** Size of the tar stream in it. */
  readonly contentBytes: number;
  /** Names of the files in it that are out of date, because a later frame holds newer ones. */
  readonly superseded: readonly string[];
  /** The directory that its files were saved from, where it is known. */
  readonly savedFrom: RootPaths | undefined;
  /** Its record in the manifest, for an archive that takes the frame over. */
  readonly record: FrameRecord;
}

/** A data frame, and its section of the file index. */
export interface IndexedFrame extends ArchiveFrame {
  readonly section: Buffer;
}

/**
 * An open archive in our own format. Its manifest and seek table are verified; the file index and the
 * frames are not until they are read.
 */
export class OwnArchive {
  readonly namespace: string;
  readonly environment: Environment;
  readonly environmentKey: string;
  readonly generation: number;
  readonly createdAt: Date;
  readonly fileCount: number;
  /** Sum of the sizes of the files. */
  readonly contentBytes: number;
  /** Bytes of files that refreshes have appended since the archive was last packed as a whole. */
  readonly appendedBytes: number;
  /** The data frames, in their order in the file. */
  readonly frames: readonly ArchiveFrame[];
  /** Where the skippable frame of the file index starts. */
  readonly indexOffset: number;
  readonly #reader: ArchiveReader;
  readonly #index: Manifest["index"];

  constructor(reader: ArchiveReader, manifest: Manifest) {
    this.namespace = manifest.namespace;
    this.environment = manifest.environment;
    this.environmentKey = manifest.environment_key;
    this.generation = manifest.generation;
    this.createdAt = new Date(manifest.created_at);
    this.fileCount = manifest.file_count;
    this.contentBytes = manifest.content_bytes;
    this.appendedBytes = manifest.appended_bytes ?? 0;
    this.frames = placeFrames(manifest);
    this.indexOffset = manifest.frames.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#reader = reader;
    this.#index = manifest.index;
  }

  /** Whether it was saved for this namespace and environment. */
  isOf({ namespace, environmentKey }: { namespace: string; environmentKey: string }): boolean {
    return this.namespace === namespace && this.environmentKey === environmentKey;
  }

  /** Reads a frame without verifying it, which unpackFrame does. The buffer belongs to the caller. */
  readFrame({ offset, bytes }: ArchiveFrame, signal?: AbortSignal): Promise<Buffer> {
    return this.#reader.read(offset, bytes, signal);
  }

  /** Reads a frame and verifies it. Throws ARCHIVE_CORRUPT. */
  async readVerifiedFrame(frame: ArchiveFrame, signal?: AbortSignal): Promise<Buffer> {
    const bytes = await this.readFrame(frame, signal);
    requireDigest(bytes, frame.sha256);
    return bytes;
  }

  /**
   * Reads and verifies the whole file index: the frames in their order, each with its section. All
   * sections are views of one buffer. Throws ARCHIVE_CORRUPT.
   */
  async readIndex(signal?: AbortSignal): Promise<readonly IndexedFrame[]> {
    const { bytes, sha256 } = this.#index;
    const index = await this.#reader.read(this.indexOffset, bytes, signal);
    if (index.length !== bytes || hash("sha256", index, "hex") !== sha256)
      throw corrupt("its file index does not match its digest");
    if (index.readUInt32LE(0) !== indexMagic)
      throw corrupt("its file index has the wrong magic number");
    if (index.readUInt32LE(4) !== bytes - skippableHeaderBytes)
      throw corrupt("its file index has the wrong length");
    let start = skippableHeaderBytes;
    return this.frames.map((frame) => {
      const section = index.subarray(start, start + frame.record.index_bytes);
      start += section.length;
      return { ...frame, section };
    });
  }
}

function placeFrames(manifest: Manifest): ArchiveFrame[] {
  let offset = 0;
  return manifest.frames.map((record) => {
    const frame = {
      offset,
      bytes: record.bytes,
      sha256: record.sha256,
      contentBytes: record.content_bytes,
      superseded: record.superseded ?? [],
      savedFrom: savedFromOf(record) ?? savedFromOf(manifest),
      record,
    };
    offset += record.bytes;
    return frame;
  });
}

/**
 * Requires that a frame has the SHA-256 that the manifest lists, in hexadecimal. Throws
 * ARCHIVE_CORRUPT.
 */
export function requireDigest(frame: Uint8Array, sha256: string): void {
  if (hash("sha256", frame, "hex") !== sha256)
    throw new CacheError("ARCHIVE_CORRUPT", "a frame of the archive does not match its digest");
}

// Enough for the seek table and the manifest of a cache of gigabytes, in one read.
const tailBytes = 128 * 1024;

// Far more than the largest cache needs, and far less than would exhaust the memory.
const maxTailBytes = 64 * 1024 * 1024;

/**
 * Opens an archive by reading its end, usually with a single ranged read. Returns undefined if another
 * tool made the archive. Throws ARCHIVE_CORRUPT or ARCHIVE_UNSUPPORTED.
 */
export async function openArchive(
  reader: ArchiveReader,
  signal?: AbortSignal,
): Promise<OwnArchive | undefined> {
  const tail = new Tail(reader, signal);
  const tableBytes = seekTableBytes(await tail.last(seekTableFooterBytes));
  if (tableBytes === undefined) return undefined;
  if (tableBytes > reader.bytes) throw corrupt("its seek table is longer than the file");
  const table = decodeSeekTable(await tail.last(tableBytes));
  if (!table) throw corrupt("its seek table cannot be read");
  const manifestFrameBytes = table.at(-1)?.bytes ?? 0;
  if (manifestFrameBytes < skippableHeaderBytes || manifestFrameBytes + tableBytes > reader.bytes)
    return undefined;
  const manifestFrame = (await tail.last(tableBytes + manifestFrameBytes)).subarray(
    0,
    manifestFrameBytes,
  );
  if (manifestFrame.readUInt32LE(0) !== manifestMagic) return undefined;
  if (manifestFrame.readUInt32LE(4) !== manifestFrameBytes - skippableHeaderBytes)
    throw corrupt("its manifest has the wrong length");
  const manifest = decodeManifest(manifestFrame.subarray(skippableHeaderBytes));

  const listed = [
    ...manifest.frames.map(({ bytes, content_bytes }) => ({ bytes, contentBytes: content_bytes })),
    { bytes: manifest.index.bytes, contentBytes: 0 },
    { bytes: manifestFrameBytes, contentBytes: 0 },
  ];
  const agrees =
    listed.length === table.length &&
    listed.every(
      (entry, i) =>
        entry.bytes === table[i]?.bytes && entry.contentBytes === table[i]?.contentBytes,
    );
  if (!agrees) throw corrupt("its manifest and its seek table disagree");
  const total = listed.reduce((sum, { bytes }) => sum + bytes, tableBytes);
  if (total !== reader.bytes) throw corrupt(`it has ${reader.bytes} bytes instead of ${total}`);
  const sections = manifest.frames.reduce((sum, frame) => sum + frame.index_bytes, 0);
  if (skippableHeaderBytes + sections !== manifest.index.bytes)
    throw corrupt("its file index has the wrong length");
  return new OwnArchive(reader, manifest);
}

/** The last bytes of an archive, kept so that they are usually read only once. */
class Tail {
  readonly #reader: ArchiveReader;
  readonly #signal: AbortSignal | undefined;
  #held: Buffer = Buffer.alloc(0);

  constructor(reader: ArchiveReader, signal: AbortSignal | undefined) {
    this.#reader = reader;
    this.#signal = signal;
  }

  async last(count: number): Promise<Buffer> {
    if (count > maxTailBytes) throw corrupt("its seek table or manifest is too long");
    const wanted = Math.min(count, this.#reader.bytes);
    if (this.#held.length < wanted) {
      const length = Math.min(this.#reader.bytes, Math.max(wanted, tailBytes));
      this.#held = await this.#reader.read(this.#reader.bytes - length, length, this.#signal);
      if (this.#held.length !== length) throw corrupt("it ended early");
    }
    return this.#held.subarray(this.#held.length - wanted);
  }
}

function corrupt(why: string): CacheError {
  return new CacheError("ARCHIVE_CORRUPT", `the archive is damaged: ${why}`);
}
