import { readPieces } from "../../local/tree/listed-file.ts";
import type { Checkpoint } from "../../local/tree/tree.ts";
import { maxTextBytes, type PickleRange, PickleUnreadable, readPickle } from "./pickle-tokens.ts";
import { oldRootOf, type RelocatedContent, type Relocation } from "./relocation.ts";

/** Bytes that replace a range of a file. */
interface Edit extends PickleRange {
  readonly bytes: Buffer;
}

/** Bounds the memory; a real entry of 184 MB holds 42. */
const maxPaths = 10_000;

/**
 * Rewrites each text of a pickle that is a path below the old directory. Text that only mentions such a
 * path, as generated code does in its comments, is left alone. Returns undefined if nothing changes, or
 * if the file cannot be read as a pickle.
 *
 * Reads the pickle once, without its large values, and keeps only the paths in memory.
 */
export function relocateGraphEntry(
  fd: number,
  size: number,
  relocation: Relocation,
  checkpoint: Checkpoint,
): RelocatedContent | undefined {
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
  relocation: Relocation,
  checkpoint: Checkpoint,
): Edit[] {
  const edits: Edit[] = [];
  const toBytes = Buffer.from(relocation.to);
  let paths = 0;
  let frame: PickleRange = { start: 0, end: 0 };
  let frameLength: Edit | undefined;
  const onFrame = (next: PickleRange) => {
    if (next.start < frame.end) throw new PickleUnreadable("a frame in a frame");
    frame = next;
    frameLength = undefined;
  };
  for (const token of readPickle(fd, size, checkpoint, onFrame)) {
    if (token.kind !== "text" || !token.at) continue;
    const from = oldRootOf(token.text, relocation);
    if (from === undefined) continue;
    const fromBytes = Buffer.byteLength(from);
    const { start, end } = token.at;
    const length = Buffer.byteLength(token.text);
    const movedLength = length - fromBytes + toBytes.length;
    // Longer text would not be recognised as a path, so it could not be rewritten back.
    if (movedLength > maxTextBytes) continue;
    const head = textHead(length);
    // Not as Python writes it, or not UTF-8: rewriting it back would not give the same bytes.
    if (head.length + length !== end - start) continue;
    if (++paths > maxPaths) throw new PickleUnreadable("too many paths");
    const bytes = Buffer.concat([textHead(movedLength), toBytes]);
    const edit = { start, end: start + head.length + fromBytes, bytes };
    if (start < frame.end) {
      if (end > frame.end) throw new PickleUnreadable("text beyond its frame");
      if (!frameLength) {
        frameLength = lengthOf(frame);
        edits.push(frameLength);
      }
      const grown = frameLength.bytes.readBigUInt64LE() + BigInt(growthOf(edit));
      frameLength.bytes.writeBigUInt64LE(grown);
    }
    edits.push(edit);
  }
  return edits;
}

function growthOf({ start, end, bytes }: Edit): number {
  return bytes.length - (end - start);
}

/** The length before the content of a pickle frame, as an edit to add the growth of its texts to. */
function lengthOf({ start, end }: PickleRange): Edit {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(end - start));
  return { start: start - bytes.length, end: start, bytes };
}

/** The opcode (SHORT_BINUNICODE or BINUNICODE) and the length that Python writes before text. */
function textHead(length: number): Buffer {
  const head = Buffer.alloc(length > 0xff ? 5 : 2, length > 0xff ? 0x58 : 0x8c);
  head.writeUIntLE(length, 1, head.length - 1);
  return head;
}

/** The bytes of a file after the edits, which are sorted by position. */
function* spliced(
  fd: number,
  size: number,
  edits: readonly Edit[],
  checkpoint: Checkpoint,
): Generator<Uint8Array> {
  let at = 0;
  for (const { start, end, bytes } of edits) {
    yield* readPieces(fd, at, start, checkpoint);
    yield bytes;
    at = end;
  }
  yield* readPieces(fd, at, size, checkpoint);
}
