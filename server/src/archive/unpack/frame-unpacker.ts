import { zstdDecompressSync } from "node:zlib";
import { malformedArchive, unsafeArchive, unsupportedArchive } from "../../domain/archive-error.ts";
import type { CacheError } from "../../domain/cache-error.ts";
import type { Checkpoint } from "../../local/tree/tree.ts";
import { decodeIndexSection, type FileRecord } from "../format/file-index.ts";
import { requireDigest } from "../format/open-archive.ts";
import { encodeTarHeader, tarPadding, tarTrailer } from "../format/tar-header.ts";
import { releaseMemory } from "../release-memory.ts";
import { relocatedKind, relocateWhole } from "../torch/relocate-content.ts";
import type { Relocation } from "../torch/relocation.ts";
import { EntryWriter, type StageDirectory } from "./entry-writer.ts";
import type { UnpackLimits } from "./tar-entries.ts";

/** One data frame as it was fetched, with what the manifest says of it. */
export interface FetchedFrame {
  readonly frame: Uint8Array;
  /** This frame's section of the file index. */
  readonly section: Uint8Array;
  readonly sha256: string;
  readonly contentBytes: number;
  /** Names of the files in it that are out of date, because a later frame holds newer ones. */
  readonly superseded: readonly string[];
  readonly relocation: Relocation;
}

/** A part of a file that spans frames; the caller checks that all parts are there. */
export interface UnpackedPart {
  readonly name: string;
  readonly size: number;
  readonly start: number;
  readonly length: number;
}

/** What was written from one frame. */
export interface UnpackedFrame {
  readonly fileCount: number;
  /** Directories that had to be made for them. */
  readonly directoryCount: number;
  readonly bytes: number;
  readonly parts: UnpackedPart[];
  /**
   * Names of files that start in this frame, and whose paths must be rewritten once all their parts are
   * written.
   */
  readonly toRelocate: string[];
  /** Whether this is the frame without files that ends the tar stream. */
  readonly ends: boolean;
}

// Each writer remembers which directories exist in its stage; forgetting them costs only time.
const writers = new Map<string, EntryWriter>();
const rememberedStages = 8;

function writerFor(stage: StageDirectory, limits: UnpackLimits): EntryWriter {
  let writer = writers.get(stage.id);
  if (!writer) {
    if (writers.size >= rememberedStages) writers.clear();
    writer = new EntryWriter(stage, limits);
    writers.set(stage.id, writer);
  }
  return writer;
}

/**
 * Verifies one frame and writes its files into the stage. Follows the file index, and requires that
 * each header of the tar stream agrees with it, so that no other reader sees different files. Throws
 * ARCHIVE_CORRUPT or ARCHIVE_UNSAFE. Runs in a worker.
 */
export function unpackFrame(
  stage: StageDirectory,
  fetched: FetchedFrame,
  limits: UnpackLimits,
  checkpoint: Checkpoint,
): UnpackedFrame {
  requireDigest(fetched.frame, fetched.sha256);
  const content = decompress(fetched);
  releaseMemory(fetched.frame);
  try {
    const records = decodeIndexSection(fetched.section, fetched.contentBytes, checkpoint);
    return unpackContent(writerFor(stage, limits), content, records, fetched, checkpoint);
  } finally {
    releaseMemory(content);
  }
}

function unpackContent(
  writer: EntryWriter,
  content: Buffer,
  records: readonly FileRecord[],
  fetched: FetchedFrame,
  checkpoint: Checkpoint,
): UnpackedFrame {
  if (records.length === 0) {
    if (content.length < tarTrailer.length || content.some((byte) => byte !== 0))
      throw disagreement();
    return { fileCount: 0, directoryCount: 0, bytes: 0, parts: [], toRelocate: [], ends: true };
  }
  const superseded = new Set(fetched.superseded);
  const directoriesBefore = writer.madeDirectories;
  const { relocation } = fetched;
  const parts: UnpackedPart[] = [];
  const toRelocate: string[] = [];
  let fileCount = 0;
  let bytes = 0;
  let at = 0;
  for (const [i, record] of records.entries()) {
    checkpoint();
    at += compareHeader(content, at, record);
    if (record.name.endsWith("/")) {
      writer.makeDirectory(record.name);
      continue;
    }
    const { size, start = 0, length = size } = record;
    const end = start + length;
    // A reader of the whole tar stream must find the parts of a file next to each other.
    if ((start > 0 && i > 0) || (end < size && i < records.length - 1)) throw disagreement();
    if (at + length > content.length) throw disagreement();
    const data = content.subarray(at, at + length);
    at += length + (end === size ? tarPadding(size) : 0);
    if (superseded.has(record.name)) continue;
    const kind = relocatedKind(record, relocation);
    if (kind === "GRAPH_ENTRY" && start === 0) toRelocate.push(record.name);
    if (record.start === undefined) {
      const moved = kind === "GRAPH_ENTRY" ? data : relocateWhole(data, kind, relocation);
      if (moved === undefined) throw tiedToItsDirectory(record.name, relocation);
      writer.writeFile(record, moved);
    } else {
      if (kind === "FIXED") throw tiedToItsDirectory(record.name, relocation);
      writePart(writer, record, data, start);
      parts.push({ name: record.name, size, start, length });
    }
    bytes += length;
    if (end === size) fileCount += 1;
  }
  if (at !== content.length) throw disagreement();
  const directoryCount = writer.madeDirectories - directoriesBefore;
  return { fileCount, directoryCount, bytes, parts, toRelocate, ends: false };
}

function decompress({ frame, contentBytes }: FetchedFrame): Buffer {
  let content: Buffer;
  try {
    content = zstdDecompressSync(frame, {
      chunkSize: Math.max(64, contentBytes + 1),
      maxOutputLength: Math.max(64, contentBytes + 1),
    });
  } catch (cause) {
    throw malformedArchive("a frame cannot be decompressed, though it matches its digest", cause);
  }
  if (content.length !== contentBytes)
    throw malformedArchive("a frame unpacks to another length than its manifest says");
  return content;
}

function compareHeader(content: Buffer, at: number, record: FileRecord): number {
  if ((record.start ?? 0) > 0) return 0;
  const header = encodeTarHeader(record);
  if (!header.equals(content.subarray(at, at + header.length))) throw disagreement();
  return header.length;
}

function writePart(writer: EntryWriter, record: FileRecord, data: Uint8Array, start: number): void {
  const file = writer.openFile(record, false);
  try {
    file.write(data, start);
    file.finish();
  } finally {
    file.close();
  }
}

/** The error for a file that names the directory that it was saved from, and works in no other. */
function tiedToItsDirectory(name: string, { from, to }: Relocation): CacheError {
  const [file, there, here] = [name, from, to].map((text) => JSON.stringify(text));
  return unsupportedArchive(
    `the archive was saved at ${there}, and its ${file} names that in a way that cannot be changed to ${here}: ` +
      `load it at ${there}, or compile at ${here} and save from there`,
  );
}

/** The error for an archive in which other readers would find different files than this one does. */
export function disagreement(): CacheError {
  return unsafeArchive("the archive's file index and its tar stream disagree");
}
