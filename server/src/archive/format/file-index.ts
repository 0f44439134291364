import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { malformedArchive } from "../../domain/archive-error.ts";
import { CacheError } from "../../domain/cache-error.ts";
import { elementsOf } from "./bounded-json.ts";
import { type TarEntry, tarBlockBytes } from "./tar-header.ts";

/**
 * A record of the file index: a file or directory, or the part of a file that one frame holds. A file
 * that spans frames has a record in each of them; only its first part follows a tar header.
 */
export interface FileRecord extends TarEntry {
  /** First 16 bytes of the SHA-256 of this part, in base64. Absent for a directory. */
  readonly digest?: string;
  /** Where this part starts in the file. Absent for a file that does not span frames. */
  readonly start?: number;
  /** Length of this part. Absent for a file that does not span frames. */
  readonly length?: number;
  /**
   * How this part names the directory that it was saved from: in `text` that can be rewritten for
   * another directory, or else (`fixed`, or a word of a newer writer) in a way that ties the file to
   * it. Absent where it does not, where torch and Triton are known to, and in older archives.
   */
  readonly names_root?: string;
}

/** A section of the index: one zstd frame that holds the records of one data frame as JSON. */
export function encodeIndexSection(records: readonly FileRecord[]): Buffer {
  return zstdCompressSync(JSON.stringify(records), {
    params: { [constants.ZSTD_c_compressionLevel]: 3 },
  });
}

const maxSectionBytes = 64 * 1024 * 1024;
const maxNameBytes = 4096;
const maxRecordDepth = 8;

/**
 * The most that a section may have of compressed bytes. It lists what the frame's tar stream holds, with
 * a header of at least 512 bytes for each record but a first one that continues a file.
 */
export function maxPackedSectionBytes(contentBytes: number): number {
  return contentBytes + 4 * maxNameBytes;
}

/**
 * Reads the section of a frame that has `contentBytes` of tar stream. Throws ARCHIVE_CORRUPT if it is
 * malformed, or holds more than such a frame can account for.
 */
export function decodeIndexSection(
  section: Uint8Array,
  contentBytes: number,
  checkpoint: () => void = () => {},
): FileRecord[] {
  const mostBytes = Math.min(maxSectionBytes, 4 * contentBytes + 16 * maxNameBytes);
  const mostRecords = Math.floor(contentBytes / tarBlockBytes) + 1;
  const records: FileRecord[] = [];
  let nameBytes = 0;
  try {
    const json = zstdDecompressSync(section, { maxOutputLength: mostBytes });
    for (const record of elementsOf(json, maxRecordDepth)) {
      checkpoint();
      if (!isRecord(record))
        throw malformedArchive("a record of its file index has the wrong shape");
      nameBytes += record.name.length;
      if (records.length === mostRecords || nameBytes > contentBytes + maxNameBytes)
        throw malformedArchive("its file index lists more than a frame can hold");
      records.push(knownPart(record));
    }
  } catch (cause) {
    if (cause instanceof CacheError) throw cause;
    throw malformedArchive("its file index cannot be decompressed, or is not JSON", cause);
  }
  return records;
}

const members: Record<keyof FileRecord, true> = {
  name: true,
  size: true,
  mode: true,
  mtime: true,
  digest: true,
  start: true,
  length: true,
  names_root: true,
};

/** A record without what a newer writer, or anyone, has added to it. */
function knownPart(record: FileRecord): FileRecord {
  const isKnown = (key: string) => Object.hasOwn(members, key);
  const keys = Object.keys(record);
  if (keys.every(isKnown)) return record;
  const known = Object.entries(record).filter(([key]) => isKnown(key));
  return Object.fromEntries(known) as unknown as FileRecord;
}

function isRecord(value: unknown): value is FileRecord {
  const record = value as FileRecord | null;
  if (record === null || typeof record !== "object" || typeof record.name !== "string")
    return false;
  const { size, mode, mtime, digest, start, length, names_root } = record;
  if (digest !== undefined && typeof digest !== "string") return false;
  if (names_root !== undefined && typeof names_root !== "string") return false;
  const counts = [size, mode, mtime, start ?? 0, length ?? 0];
  if (!counts.every((n) => Number.isSafeInteger(n) && n >= 0)) return false;
  if (record.name.endsWith("/")) return size === 0 && start === undefined && length === undefined;
  if (start === undefined || length === undefined) return start === length;
  return length > 0 && length < size && start + length <= size;
}
