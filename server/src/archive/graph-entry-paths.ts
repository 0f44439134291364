import type { Checkpoint } from "../local/tree.ts";
import { readFully } from "./listed-file.ts";
import { type PickleRange, PickleUnreadable, readPickle } from "./pickle-tokens.ts";
import type { MovedContent, Relocation } from "./relocation.ts";

/** What takes the place of a part of a file. */
interface Edit extends PickleRange {
  readonly bytes: Uint8Array;
}

const pieceBytes = 1024 * 1024;
const frameLengthBytes = 8;

/**
 * Moves along each text of a pickle that is a path below the old directory. What merely mentions such
 * a path, as generated code does in its comments, stays as it is. Undefined where nothing is to be
 * moved, or the file is no pickle that we can read.
 *
 * Reads what the pickle has beside its large values, once; holds the paths.
 */
export function moveGraphEntry(
  fd: number,
  size: number,
  relocation: Relocation,
  checkpoint: Checkpoint,
): MovedContent | undefined {
  let edits: Edit[];
  try {
    edits = findEdits(fd, size, relocation, checkpoint);
  } catch (error) {
    if (error instanceof PickleUnreadable) return undefined;
    throw error;
  }
  if (edits.length === 0) return undefined;
  return {
    size: edits.reduce((sum, edit) => sum + growthOf(edit), size),
    pieces: () => spliced(fd, size, edits, checkpoint),
  };
}

function findEdits(
  fd: number,
  size: number,
  { from, to }: Relocation,
  checkpoint: Checkpoint,
): Edit[] {
  const edits: Edit[] = [];
  let frame: PickleRange = { start: 0, end: 0 };
  let inFrame: Edit[] = [];
  const endFrame = () => {
    if (inFrame.length === 0) return;
    const length = inFrame.reduce((sum, edit) => sum + growthOf(edit), frame.end - frame.start);
    const bytes = Buffer.alloc(frameLengthBytes);
    bytes.writeBigUInt64LE(BigInt(length));
    edits.push({ start: frame.start - frameLengthBytes, end: frame.start, bytes }, ...inFrame);
    inFrame = [];
  };
  const onFrame = (next: PickleRange) => {
    endFrame();
    frame = next;
  };
  for (const token of readPickle(fd, size, checkpoint, onFrame)) {
    if (token.kind !== "text" || !token.at || !token.text.startsWith(`${from}/`)) continue;
    // Not UTF-8, and could not be put back as it was.
    if (token.text.includes("\ufffd")) continue;
    const edit = { ...token.at, bytes: encodeText(to + token.text.slice(from.length)) };
    if (edit.start >= frame.end) endFrame();
    (edit.start < frame.end ? inFrame : edits).push(edit);
  }
  endFrame();
  return edits;
}

function growthOf({ start, end, bytes }: Edit): number {
  return bytes.length - (end - start);
}

/** Text as Python pickles it: SHORT_BINUNICODE or BINUNICODE. */
function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  const isShort = bytes.length <= 0xff;
  const head = Buffer.alloc(isShort ? 2 : 5);
  head.writeUInt8(isShort ? 0x8c : 0x58, 0);
  if (isShort) head.writeUInt8(bytes.length, 1);
  else head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** The bytes of a file with the edits, which are in their order, made. */
function* spliced(
  fd: number,
  size: number,
  edits: readonly Edit[],
  checkpoint: Checkpoint,
): Generator<Uint8Array> {
  const piece = Buffer.allocUnsafe(Math.min(size, pieceBytes));
  let at = 0;
  for (const { start, end, bytes } of [...edits, { start: size, end: size, bytes: undefined }]) {
    while (at < start) {
      checkpoint();
      const part = piece.subarray(0, Math.min(piece.length, start - at));
      if (!readFully(fd, at, part)) throw new PickleUnreadable("cut short");
      at += part.length;
      yield part;
    }
    if (bytes) yield bytes;
    at = end;
  }
}
