import { malformedArchive, unsupportedArchive } from "../../domain/archive-error.ts";
import { gzipMagic, skippableMagicFirst, skippableMagicLast, zstdMagic } from "./format.ts";
import { isTarHeader, tarBlockBytes } from "./tar-header.ts";

/** How an archive is packed: its content tells, whatever its name says. */
export type FileKind = "zstd" | "gzip" | "tar";

/** So many of a file's first bytes tell its kind. */
export const fileKindBytes = tarBlockBytes;

/** What people put into a store by mistake, or because other tools read it. */
const otherKinds: readonly (readonly [what: string, start: string])[] = [
  ["a zip file", "PK\x03\x04"],
  ["compressed with bzip2", "BZh"],
  ["compressed with xz", "\xfd7zXZ\0"],
  ["compressed with lz4", "\x04\x22\x4d\x18"],
  ["compressed with lzip", "LZIP"],
  ["compressed with compress", "\x1f\x9d"],
  ["a 7z file", "7z\xbc\xaf\x27\x1c"],
  ["a cpio archive", "070701"],
  ["a cpio archive", "070702"],
  ["a cpio archive", "070707"],
  ["a cpio archive", "\xc7\x71"],
  ["a pointer of git LFS", "version https://git-lfs"],
];

/**
 * The kind of a file, by its first bytes: `fileKindBytes`, or all that it has. Throws
 * ARCHIVE_UNSUPPORTED for a kind that only other tools read, and ARCHIVE_CORRUPT for anything else;
 * neither proves damage.
 */
export function fileKindOf(head: Buffer): FileKind {
  const magic = head.length >= 4 ? head.readUInt32LE(0) : 0;
  if (magic === zstdMagic) return "zstd";
  if (magic >= skippableMagicFirst && magic <= skippableMagicLast) return "zstd";
  if (head.length >= 2 && head.readUInt16BE(0) === gzipMagic) return "gzip";
  if (isTarHeader(head)) return "tar";
  const start = head.toString("latin1", 0, 32);
  const [what] = otherKinds.find(([, begins]) => start.startsWith(begins)) ?? [];
  if (what)
    throw unsupportedArchive(`the archive is ${what}; zstd, gzip and plain tar files are read`);
  if (head.length === 0) throw malformedArchive("it is an empty file");
  if (head.every((byte) => byte === 0)) throw malformedArchive("it begins with nothing but zeros");
  throw malformedArchive(
    `it is neither a zstd nor a gzip nor a tar file, and begins with ${JSON.stringify(start)}`,
  );
}
