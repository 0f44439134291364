import { extname } from "node:path";
import type { ListedFile } from "../../local/tree/listed-file.ts";
import { frameContentBytes } from "../format/format.ts";
import { tarHeaderBytes, tarPadding } from "../format/tar-header.ts";

/** A file, or an empty directory (its name ends in `/`), as it was when it was listed. */
export interface FileToPack extends ListedFile {
  readonly mode: number;
}

/**
 * The part of a file that goes into one frame: the whole file, unless it is large. Sizes are in bytes.
 */
export interface PartToPack {
  readonly file: FileToPack;
  readonly start: number;
  readonly length: number;
  /** The part's share of the tar stream: header, content and padding. */
  readonly tarBytes: number;
}

/** The parts that go into one frame, in order. */
export type FramePlan = readonly PartToPack[];

/** A plan in the form that is passed between threads: only the thread that packs it parses it. */
export interface PlannedFrame {
  /** JSON of a FramePlan. */
  readonly plan: Uint8Array;
  /** Bytes of files in the frame. */
  readonly bytes: number;
}

/**
 * Sorts files into the order that compresses best (by extension, then size, so that similar files lie
 * side by side), and divides them into frames.
 */
export function planFrames(files: readonly FileToPack[]): PlannedFrame[] {
  return cutIntoFrames(sortByLikeness(files));
}

function sortByLikeness(files: readonly FileToPack[]): FileToPack[] {
  const keyed = files.map((file) => ({ file, extension: extname(file.name) }));
  keyed.sort((a, b) => {
    if (a.extension !== b.extension) return a.extension < b.extension ? -1 : 1;
    if (a.file.size !== b.file.size) return a.file.size - b.file.size;
    return a.file.name < b.file.name ? -1 : 1;
  });
  return keyed.map(({ file }) => file);
}

function partOf(file: FileToPack, start: number, length: number): PartToPack {
  const header = start === 0 ? tarHeaderBytes(tarEntryOf(file)) : 0;
  const padding = start + length === file.size ? tarPadding(file.size) : 0;
  return { file, start, length, tarBytes: header + length + padding };
}

/** The fields of a file's tar header; its time is rounded down to whole seconds, and never negative. */
export function tarEntryOf(file: FileToPack) {
  return {
    name: file.name,
    size: file.size,
    mode: file.mode,
    mtime: Math.max(0, Math.floor(file.mtimeMs / 1000)),
  };
}

// A header and the start of its file share a frame; a large file continues in frames that hold nothing
// else.
function cutIntoFrames(files: readonly FileToPack[]): PlannedFrame[] {
  const frames: PlannedFrame[] = [];
  let parts: PartToPack[] = [];
  let room = frameContentBytes;
  let bytes = 0;
  const close = () => {
    if (parts.length > 0) frames.push({ plan: Buffer.from(JSON.stringify(parts)), bytes });
    parts = [];
    room = frameContentBytes;
    bytes = 0;
  };
  const add = (part: PartToPack) => {
    parts.push(part);
    room -= part.tarBytes;
    bytes += part.length;
  };
  for (const file of files) {
    const whole = partOf(file, 0, file.size);
    if (whole.tarBytes > room) close();
    if (whole.tarBytes <= frameContentBytes) {
      add(whole);
      continue;
    }
    // Leave room for the header and the padding.
    const partBytes = frameContentBytes - 16 * 1024;
    for (let start = 0; start < file.size; start += partBytes) {
      add(partOf(file, start, Math.min(partBytes, file.size - start)));
      close();
    }
  }
  close();
  return frames;
}
