import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { malformedArchive } from "../../domain/archive-error.ts";
import type { TarEntry } from "./tar-header.ts";

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

/** Bounds the memory that a damaged or hostile section can take. */
const maxSectionBytes = 64 * 1024 * 1024;

/** Reads a section. Throws ARCHIVE_CORRUPT if it is malformed or holds more than 64 MiB of JSON. */
export function decodeIndexSection(section: Uint8Array): FileRecord[] {
  let records: unknown;
  try {
    const json = zstdDecompressSync(section, { maxOutputLength: maxSectionBytes });
    records = JSON.parse(json.toString("utf8"));
  } catch (cause) {
    throw malformedArchive("its file index cannot be decompressed, or is not JSON", cause);
  }
  if (!Array.isArray(records) || !records.every(isRecord))
    throw malformedArchive("a record of its file index has the wrong shape");
  return records;
}

function isRecord(record: FileRecord | null): boolean {
  if (record === null || typeof record !== "object" || typeof record.name !== "string")
    return false;
  const { size, mode, mtime, start, length, names_root } = record;
  if (names_root !== undefined && typeof names_root !== "string") return false;
  const counts = [size, mode, mtime, start ?? 0, length ?? 0];
  if (!counts.every((n) => Number.isSafeInteger(n) && n >= 0)) return false;
  if (record.name.endsWith("/")) return size === 0 && start === undefined && length === undefined;
  if (start === undefined || length === undefined) return start === length;
  return length > 0 && length < size && start + length <= size;
}
