import { hash } from "node:crypto";
import { CacheError } from "../../domain/cache-error.ts";
import type { ArchiveReader } from "../../store/store.ts";
import { indexMagic, manifestMagic, skippableHeaderBytes } from "./format.ts";
import { decodeManifest, type FrameRecord, type Manifest } from "./manifest.ts";
import { decodeSeekTable, seekTableBytes } from "./seek-table.ts";

/** A data frame and where it and its section of the file index start in the archive. */
export interface PlacedFrame extends FrameRecord {
  readonly offset: number;
  readonly sectionOffset: number;
}

/** An archive of ours, verified as far as its end tells. */
export interface OwnArchive {
  readonly manifest: Manifest;
  readonly frames: readonly PlacedFrame[];
  /** Where the skippable frame of the file index starts. */
  readonly indexOffset: number;
}

// Enough for the seek table and the manifest of a cache of gigabytes, in one read.
const tailBytes = 128 * 1024;

// Far more than the largest cache needs, and far less than what would exhaust the memory.
const maxTailBytes = 64 * 1024 * 1024;

/**
 * Reads the end of an archive, with one ranged read as a rule. Answers undefined for an archive that
 * another tool made. Throws ARCHIVE_CORRUPT or ARCHIVE_UNSUPPORTED.
 */
export async function openArchive(
  reader: ArchiveReader,
  signal?: AbortSignal,
): Promise<OwnArchive | undefined> {
  const tail = new Tail(reader, signal);
  const tableBytes = seekTableBytes(await tail.last(9));
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
  return place(manifest);
}

function place(manifest: Manifest): OwnArchive {
  const indexOffset = manifest.frames.reduce((sum, { bytes }) => sum + bytes, 0);
  let offset = 0;
  let sectionOffset = indexOffset + skippableHeaderBytes;
  const frames = manifest.frames.map((frame) => {
    const placed = { ...frame, offset, sectionOffset };
    offset += frame.bytes;
    sectionOffset += frame.index_bytes;
    return placed;
  });
  if (sectionOffset !== indexOffset + manifest.index.bytes)
    throw corrupt("its file index has the wrong length");
  return { manifest, frames, indexOffset };
}

/** Reads the whole file index and verifies it: the sections of the frames, one after the other. */
export async function readIndex(
  reader: ArchiveReader,
  archive: OwnArchive,
  signal?: AbortSignal,
): Promise<Buffer> {
  const { bytes, sha256 } = archive.manifest.index;
  const frame = await reader.read(archive.indexOffset, bytes, signal);
  if (frame.length !== bytes || hash("sha256", frame, "hex") !== sha256)
    throw corrupt("its file index does not match its digest");
  if (frame.readUInt32LE(0) !== indexMagic) throw corrupt("its file index has the wrong mark");
  if (frame.readUInt32LE(4) !== bytes - skippableHeaderBytes)
    throw corrupt("its file index has the wrong length");
  return frame;
}

/** The last bytes of an archive, read once. */
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
