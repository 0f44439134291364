import { readFully } from "../../local/tree/listed-file.ts";
import type { Checkpoint } from "../../local/tree/tree.ts";

/** A part of a file, in bytes: `start` is its first byte, `end` the one after its last. */
export interface PickleRange {
  readonly start: number;
  readonly end: number;
}

/** A value in a pickle. No object is built from it, and no code in it is run. */
export type PickleToken =
  /** A class by its module and name. */
  | { readonly kind: "class"; readonly name: string }
  /**
   * Text, and the range of the operation that holds it; absent where the pickle refers to earlier text.
   */
  | { readonly kind: "text"; readonly text: string; readonly at?: PickleRange }
  | { readonly kind: "number"; readonly value: number }
  /** Bytes, by where they lie in the file. */
  | { readonly kind: "bytes"; readonly start: number; readonly length: number }
  | { readonly kind: "other" };

/**
 * Thrown for a pickle that is cut short, malformed, of another protocol than 4 or 5, or too large to
 * follow.
 */
export class PickleUnreadable extends Error {}

/** The longest text that counts as `text`, in bytes: longer text is neither a name nor a path. */
export const maxTextBytes = 4096;
/** Bounds the text that is kept because the pickle may refer to it; real entries hold 0.4 MB of it. */
const maxKeptBytes = 16 * 1024 * 1024;
const windowBytes = 64 * 1024;

const other: PickleToken = { kind: "other" };

/** Operations that combine values or set a mark, with the number of bytes of their argument. */
const silent = new Map<number, number>([
  ...[..."()]}taesub01RQ"].map((code) => [code.charCodeAt(0), 0] as const),
  // EMPTY_SET, ADDITEMS, FROZENSET, NEWOBJ, NEWOBJ_EX, TUPLE1, TUPLE2, TUPLE3
  ...[0x8f, 0x90, 0x91, 0x81, 0x92, 0x85, 0x86, 0x87].map((code) => [code, 0] as const),
]);
/**
 * Values that count as `other`, with the number of bytes of their argument: None, True, False, a float.
 */
const plain = new Map<number, number>([
  [0x4e, 0],
  [0x88, 0],
  [0x89, 0],
  [0x47, 8],
]);
/**
 * Values that follow their length, with the number of bytes of that length: text, bytes, large
 * integers.
 */
const textLength = new Map([
  [0x8c, 1],
  [0x58, 4],
  [0x8d, 8],
]);
const bytesLength = new Map([
  [0x43, 1],
  [0x42, 4],
  [0x8e, 8],
]);
const otherLength = new Map([
  [0x96, 8],
  [0x8a, 1],
  [0x8b, 4],
]);
const numberBytes = new Map([
  [0x4b, 1],
  [0x4d, 2],
  [0x4a, 4],
]);
const frame = 0x95;
const protocolCode = 0x80;
const protocols = new Set([4, 5]);
const stackGlobal = 0x93;
const memoize = 0x94;
const getCodes = new Map([
  [0x68, 1],
  [0x6a, 4],
]);
const stop = 0x2e;

/**
 * Reads an open file of `size` bytes as one pickle, through a window of 64 KiB, and yields its values
 * in order. Calls `onFrame` with the range of each frame's content. Throws PickleUnreadable unless the
 * pickle ends exactly where the file does.
 */
export function* readPickle(
  fd: number,
  size: number,
  checkpoint: Checkpoint,
  onFrame: (content: PickleRange) => void = () => {},
): Generator<PickleToken> {
  const input = createInput(fd, size, checkpoint);
  const memo = new Map<number, PickleToken>();
  let memoized = 0;
  let kept = 0;
  // The memo takes the last value, and a class takes its module and name from the last two.
  let last: PickleToken = other;
  let before: PickleToken = other;

  if (input.number(1) !== protocolCode || !protocols.has(input.number(1)))
    throw new PickleUnreadable("not a pickle of protocol 4 or 5");
  for (;;) {
    const code = input.number(1);
    if (code === stop) break;
    if (code === memoize) {
      if (last.kind === "text" || last.kind === "class") {
        // Each entry of the memo takes memory of its own, even for short text.
        kept += 64 + (last.kind === "text" ? last.text.length : last.name.length);
        if (kept > maxKeptBytes) throw new PickleUnreadable("too much text");
        memo.set(memoized, last.kind === "text" ? { kind: "text", text: last.text } : last);
      }
      memoized += 1;
      continue;
    }
    if (code === frame) {
      const length = input.number(8);
      onFrame({ start: input.at(), end: input.at() + length });
      continue;
    }
    const skipped = silent.get(code);
    if (skipped !== undefined) {
      input.skip(skipped);
      // The result of these operations is neither text nor a class, so the memo need not keep it.
      last = other;
      continue;
    }
    const token = readValue(code);
    before = last;
    last = token;
    yield token;
  }
  if (input.at() < size) throw new PickleUnreadable("bytes after the pickle");

  function readValue(code: number): PickleToken {
    const text = textLength.get(code);
    if (text !== undefined) {
      const start = input.at() - 1;
      const length = input.number(text);
      if (length <= maxTextBytes) {
        const value = input.text(length);
        return { kind: "text", text: value, at: { start, end: input.at() } };
      }
      input.skip(length);
      return other;
    }
    const bytes = bytesLength.get(code);
    if (bytes !== undefined) {
      const length = input.number(bytes);
      const start = input.at();
      input.skip(length);
      return { kind: "bytes", start, length };
    }
    const number = numberBytes.get(code);
    if (number !== undefined) return { kind: "number", value: input.number(number) };
    const get = getCodes.get(code);
    if (get !== undefined) return memo.get(input.number(get)) ?? other;
    if (code === stackGlobal) {
      if (before.kind !== "text" || last.kind !== "text") return other;
      return { kind: "class", name: `${before.text}.${last.text}` };
    }
    const skipped = plain.get(code) ?? input.number(otherLength.get(code) ?? unknown(code));
    input.skip(skipped);
    return other;
  }
}

function unknown(code: number): never {
  throw new PickleUnreadable(`unknown operation ${code}`);
}

/** Reads a file from its start, in pieces of the size that is asked for. */
function createInput(fd: number, size: number, checkpoint: Checkpoint) {
  const window = Buffer.allocUnsafe(windowBytes);
  let windowStart = 0;
  let windowEnd = 0;
  let at = 0;

  /** The next bytes; valid until the next call. */
  function take(length: number): Buffer {
    if (length > size - at) throw new PickleUnreadable("cut short");
    if (at < windowStart || at + length > windowEnd) {
      checkpoint();
      windowStart = at;
      windowEnd = Math.min(size, at + windowBytes);
      if (!readFully(fd, windowStart, window.subarray(0, windowEnd - windowStart)))
        throw new PickleUnreadable("cut short");
    }
    at += length;
    return window.subarray(at - length - windowStart, at - windowStart);
  }

  return {
    at: () => at,
    /** An unsigned integer, little-endian. */
    number(bytes: number): number {
      if (bytes < 8) return take(bytes).readUIntLE(0, bytes);
      const value = take(8).readBigUInt64LE();
      if (value > BigInt(size)) throw new PickleUnreadable("cut short");
      return Number(value);
    },
    text: (length: number) => take(length).toString("utf8"),
    skip(length: number) {
      if (length > size - at) throw new PickleUnreadable("cut short");
      at += length;
    },
  };
}
