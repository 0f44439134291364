import { hash } from "node:crypto";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import type { ArchiveFormat } from "../../domain/cache-id.ts";
import { readFully, readListedFile } from "../../local/tree/listed-file.ts";
import { currentPath } from "../../local/tree/pinned-directory.ts";
import type { Checkpoint } from "../../local/tree/tree.ts";
import { encodeIndexSection, type FileRecord } from "../format/file-index.ts";
import { frameContentBytes } from "../format/format.ts";
import { encodeTarHeader, tarPadding } from "../format/tar-header.ts";
import { releaseMemory } from "../release-memory.ts";
import { type NamedRoot, namedRootOverlap, RootFinder } from "../torch/named-root.ts";
import { mayNameRoot } from "../torch/relocate-content.ts";
import type { FramePlan, PartToPack } from "./plan.ts";
import { tarEntryOf } from "./plan.ts";

/** A frame that is ready to be written, and what the archive's index and manifest say of it. */
export interface PackedFrame {
  readonly frame: Uint8Array;
  readonly sha256: string;
  /** Size of the tar stream in the frame. */
  readonly contentBytes: number;
  /** This frame's section of the file index. */
  readonly section: Uint8Array;
  /** Files that start in this frame. */
  readonly fileCount: number;
  /** Bytes of files in this frame. */
  readonly bytes: number;
  /** A file that works only in this directory, if there is one. */
  readonly tied?: string;
  /** Files that could not be packed as they were listed. */
  readonly notPacked: readonly NotPacked[];
}

/** A file that could not be packed: it changed or vanished since it was listed, or cannot be read. */
export interface NotPacked {
  readonly name: string;
  readonly reason: "CHANGED" | "UNREADABLE";
  readonly spansFrames: boolean;
}

/**
 * Reads the planned files below an open directory into one frame; files that cannot be packed as
 * they were listed are left out, and named. Records how files name the directory by one of
 * `rootPaths`. Runs in a worker.
 */
export function packFrame(
  rootFd: number,
  plan: FramePlan,
  format: ArchiveFormat,
  rootPaths: readonly string[],
  checkpoint: Checkpoint,
): PackedFrame {
  const rootPath = currentPath(rootFd);
  const finder = new RootFinder(rootPaths);
  const content = frameBuffer(plan.reduce((sum, part) => sum + part.tarBytes, 0));
  const records: FileRecord[] = [];
  const notPacked: NotPacked[] = [];
  let end = 0;
  let bytes = 0;
  let fileCount = 0;
  for (const part of plan) {
    checkpoint();
    const { name } = part.file;
    const tarBytes = packPart(rootFd, rootPath, finder, part, content.subarray(end), records);
    if (typeof tarBytes === "string") {
      notPacked.push({ name, reason: tarBytes, spansFrames: part.length !== part.file.size });
      continue;
    }
    end += tarBytes;
    bytes += part.length;
    const isLast = part.start + part.length >= part.file.size;
    if (isLast && !name.endsWith("/")) fileCount += 1;
  }
  const frame = compressFrame(content.subarray(0, end), format);
  const tied = records.find(({ names_root }) => names_root === "fixed")?.name;
  return {
    frame,
    sha256: hash("sha256", frame, "hex"),
    contentBytes: end,
    section: encodeIndexSection(records),
    fileCount,
    bytes,
    notPacked,
    ...(tied === undefined ? {} : { tied }),
  };
}

let reused = Buffer.alloc(0);

/** A buffer that is valid until this thread packs its next frame. */
function frameBuffer(bytes: number): Buffer {
  if (reused.length < bytes) reused = Buffer.allocUnsafeSlow(Math.max(bytes, frameContentBytes));
  return reused.subarray(0, bytes);
}

/** Compresses a piece of tar stream to one frame (or gzip member) that can be read without others. */
export function compressFrame(content: Uint8Array, format: ArchiveFormat): Uint8Array {
  if (format === "tar.gz") return Uint8Array.from(gzipSync(content, { level: 6 }));
  const frame = zstdCompressSync(content, {
    params: {
      [constants.ZSTD_c_compressionLevel]: 3,
      [constants.ZSTD_c_contentSizeFlag]: 1,
      // Similar files lie side by side, so long matches are found far back in the frame.
      [constants.ZSTD_c_windowLog]: 24,
      [constants.ZSTD_c_minMatch]: 6,
    },
    pledgedSrcSize: content.length,
    chunkSize: content.length + 128 * 1024,
  } as Parameters<typeof zstdCompressSync>[1]);
  // A copy of exactly this size: the whole buffer behind it moves to the other thread.
  const own = Uint8Array.from(frame);
  releaseMemory(frame);
  return own;
}

/** Writes a part's share of the tar stream and returns its length, or why it cannot be packed. */
function packPart(
  rootFd: number,
  rootPath: string,
  finder: RootFinder,
  part: PartToPack,
  into: Buffer,
  records: FileRecord[],
): number | NotPacked["reason"] {
  const { file, start, length } = part;
  const entry = tarEntryOf(file);
  let at = 0;
  if (start === 0) at += encodeTarHeader(entry).copy(into, 0);
  if (file.name.endsWith("/")) {
    records.push(entry);
    return at;
  }
  const content = into.subarray(at, at + length);
  let named: NamedRoot | undefined;
  const read = readListedFile(rootFd, rootPath, file, (fd) => {
    if (!readFully(fd, start, content)) return false;
    named = findNamedRoot(finder, part, content, fd);
    return true;
  });
  if (read.fault) return read.fault;
  if (!read.result) return "CHANGED";
  at += length;
  if (start + length === file.size) {
    const padding = tarPadding(file.size);
    into.fill(0, at, at + padding);
    at += padding;
  }
  const digest = hash("sha256", content, "buffer").subarray(0, 16).toString("base64");
  records.push({
    ...entry,
    digest,
    ...(length === file.size ? {} : { start, length }),
    ...(named === undefined ? {} : { names_root: named }),
  });
  return at;
}

/** How a part of a file names the directory; a path that goes on in the next part belongs to this. */
function findNamedRoot(
  finder: RootFinder,
  { file: { name, size }, start, length }: PartToPack,
  content: Buffer,
  fd: number,
): NamedRoot | undefined {
  if (!mayNameRoot(name)) return undefined;
  const end = start + length;
  if (end === size) return finder.find(content, name, length === size);
  const next = Buffer.allocUnsafe(Math.min(namedRootOverlap, size - end));
  if (!readFully(fd, end, next)) return undefined;
  const last = Buffer.concat([content.subarray(-namedRootOverlap), next]);
  return finder.find(content, name, false) ?? finder.find(last, name, false);
}
