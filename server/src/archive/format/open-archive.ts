import { createHash, hash } from "node:crypto";
import { damagedArchive, malformedArchive } from "../../domain/archive-error.ts";
import type { Environment } from "../../domain/environment.ts";
import type { Origin } from "../../domain/origin.ts";
import type { RootPaths } from "../../domain/root-paths.ts";
import type { ArchiveReader } from "../../store/store.ts";
import {
  beginsAsManifest,
  decodeManifest,
  isManifest,
  manifestStartBytes,
} from "./decode-manifest.ts";
import {
  indexMagic,
  manifestMagic,
  maxFrames,
  maxManifestBytes,
  skippableHeaderBytes,
} from "./format.ts";
import { type FrameRecord, type Manifest, savedFromOf } from "./manifest.ts";
import type { FormatWork } from "./port.ts";
import { readExactly } from "./read-exactly.ts";
import {
  encodeSeekTable,
  lastSeekEntry,
  type SeekEntry,
  seekTableBytes,
  seekTableFooterBytes,
} from "./seek-table.ts";
import type { ManifestSignature } from "./signature.ts";

/** A file index is read, and hashed, in pieces that keep nobody waiting. */
const indexPieceBytes = 4 * 1024 * 1024;

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
  readonly origin: Origin;
  /** The directory that it was last saved from, where it is known. */
  readonly savedFrom: RootPaths | undefined;
  /** The data frames, in their order in the file. */
  readonly frames: readonly ArchiveFrame[];
  /** Size of the whole tar stream. */
  readonly streamBytes: number;
  /** Where the skippable frame of the file index starts. */
  readonly indexOffset: number;
  /** Who signed it, as it says itself. */
  readonly signature: ManifestSignature | undefined;
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
    this.appendedBytes = Math.min(manifest.appended_bytes ?? 0, manifest.content_bytes);
    this.origin = manifest.origin ?? {};
    this.savedFrom = savedFromOf(manifest);
    this.frames = placeFrames(manifest);
    this.indexOffset = manifest.frames.reduce((sum, { bytes }) => sum + bytes, 0);
    this.streamBytes = manifest.frames.reduce((sum, frame) => sum + frame.content_bytes, 0);
    this.#reader = reader;
    this.#index = manifest.index;
    this.signature = manifest.signature;
  }

  /** Whether it was saved for this namespace and environment. */
  isOf({ namespace, environmentKey }: { namespace: string; environmentKey: string }): boolean {
    return this.namespace === namespace && this.environmentKey === environmentKey;
  }

  /** Reads a frame without verifying it, which unpackFrame does. The buffer belongs to the caller. */
  readFrame({ offset, bytes }: ArchiveFrame, signal?: AbortSignal): Promise<Buffer> {
    return readExactly(this.#reader, offset, bytes, signal);
  }

  /** Reads a frame and verifies it. Throws ARCHIVE_CORRUPT, which proves damage. */
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
    const index = Buffer.allocUnsafeSlow(bytes);
    const digest = createHash("sha256");
    for (let at = 0; at < bytes; at += indexPieceBytes) {
      const length = Math.min(indexPieceBytes, bytes - at);
      const piece = await readExactly(this.#reader, this.indexOffset + at, length, signal);
      digest.update(piece);
      piece.copy(index, at);
    }
    if (digest.digest("hex") !== sha256)
      throw damagedArchive("its file index does not match its digest");
    if (bytes < skippableHeaderBytes) throw malformedArchive("its file index has no header");
    if (index.readUInt32LE(0) !== indexMagic)
      throw malformedArchive("its file index has the wrong magic number");
    if (index.readUInt32LE(4) !== bytes - skippableHeaderBytes)
      throw malformedArchive("its file index has the wrong length");
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
 * ARCHIVE_CORRUPT, which proves damage.
 */
export function requireDigest(frame: Uint8Array, sha256: string): void {
  if (hash("sha256", frame, "hex") !== sha256)
    throw damagedArchive("a frame does not match its digest");
}

// Enough for the seek table and the manifest of a cache of gigabytes, in one read.
const tailBytes = 128 * 1024;

/** A manifest of so many bytes is read at once; a larger one on a worker thread. */
const smallManifestBytes = 64 * 1024;

/**
 * Opens an archive by reading its end, usually with a single ranged read. Returns undefined if there is
 * no end of ours: another tool made the archive, or it has lost its end, which a reader of its start
 * finds out. Throws ARCHIVE_CORRUPT or ARCHIVE_UNSUPPORTED.
 */
export async function openArchive(
  reader: ArchiveReader,
  work: FormatWork,
  signal?: AbortSignal,
): Promise<OwnArchive | undefined> {
  const end = await readEnd(reader, signal);
  if (!end) return undefined;
  const manifestBytes = skippableHeaderBytes + end.manifest.length;
  const manifest =
    end.manifest.length <= smallManifestBytes
      ? decodeManifest(end.manifest)
      : await work.decodeManifest(new Uint8Array(end.manifest));
  const listed = seekEntriesOf(manifest, manifestBytes);
  const total = listed.reduce((sum, { bytes }) => sum + bytes, end.table.length);
  if (total > reader.bytes)
    throw damagedArchive(`it has ${reader.bytes} bytes, and its manifest lists ${total}`);
  if (total < reader.bytes)
    throw malformedArchive(`it has ${reader.bytes} bytes, and its manifest lists only ${total}`);
  if (!end.table.equals(encodeSeekTable(listed)))
    throw damagedArchive("its seek table is not the one that its manifest describes");
  const sections = manifest.frames.reduce((sum, frame) => sum + frame.index_bytes, 0);
  if (skippableHeaderBytes + sections !== manifest.index.bytes)
    throw malformedArchive("its manifest contradicts itself about the length of the file index");
  return new OwnArchive(reader, manifest);
}

/** The entries of the seek table of an archive with that manifest. */
export function seekEntriesOf(manifest: Manifest, manifestFrameBytes: number): SeekEntry[] {
  return [
    ...manifest.frames.map(({ bytes, content_bytes }) => ({ bytes, contentBytes: content_bytes })),
    { bytes: manifest.index.bytes, contentBytes: 0 },
    { bytes: manifestFrameBytes, contentBytes: 0 },
  ];
}

const maxSeekTableBytes = encodeSeekTable([]).length + 12 * (maxFrames + 2);

/** The payload of the manifest's frame, and the seek table; undefined if the file does not end with them. */
async function readEnd(
  reader: ArchiveReader,
  signal: AbortSignal | undefined,
): Promise<{ manifest: Buffer; table: Buffer } | undefined> {
  const tail = new Tail(reader, signal);
  const footer = await tail.last(seekTableFooterBytes);
  const tableBytes = footer && seekTableBytes(footer);
  if (tableBytes === undefined || tableBytes > maxSeekTableBytes) return undefined;
  const table = await tail.last(tableBytes);
  const manifestBytes = table && lastSeekEntry(table)?.bytes;
  if (!table) return undefined;
  if (manifestBytes === undefined || manifestBytes < skippableHeaderBytes) return undefined;
  const start = await tail.before(
    tableBytes,
    manifestBytes,
    skippableHeaderBytes + manifestStartBytes,
  );
  if (start?.readUInt32LE(0) !== manifestMagic) return undefined;
  const payloadBytes = manifestBytes - skippableHeaderBytes;
  if (start.readUInt32LE(4) !== payloadBytes) return undefined;
  const isOurs = beginsAsManifest(start.subarray(skippableHeaderBytes));
  if (payloadBytes > (isOurs ? maxManifestBytes : smallManifestBytes)) {
    if (!isOurs) return undefined;
    throw malformedArchive(
      `its manifest has ${payloadBytes} bytes, far more than an archive needs`,
    );
  }
  const frame = await tail.before(tableBytes, manifestBytes, manifestBytes);
  const manifest = frame?.subarray(skippableHeaderBytes);
  return manifest && isManifest(manifest) ? { manifest, table } : undefined;
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

  /** So many of the last bytes; undefined if the archive has not as many. */
  async last(count: number): Promise<Buffer | undefined> {
    const { bytes } = this.#reader;
    if (count > bytes) return undefined;
    if (this.#held.length < count) {
      const length = Math.min(bytes, Math.max(count, tailBytes));
      this.#held = await readExactly(this.#reader, bytes - length, length, this.#signal);
    }
    return this.#held.subarray(this.#held.length - count);
  }

  /**
   * The first `length` bytes, or fewer if it has not as many, of the `count` bytes that stand before the
   * last `behind` ones; undefined if the archive has not as many.
   */
  async before(behind: number, count: number, length: number): Promise<Buffer | undefined> {
    const { bytes } = this.#reader;
    const taken = Math.min(length, count);
    if (behind + count > bytes) return undefined;
    if (taken === count || behind + count <= this.#held.length)
      return (await this.last(behind + count))?.subarray(0, taken);
    return readExactly(this.#reader, bytes - behind - count, taken, this.#signal);
  }
}
