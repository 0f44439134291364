// JSON that an archive holds may have been written by anyone. A parser makes tens of bytes of each byte
// of `[{},{},...`, so what a text would become is judged before it is parsed.

/** Bounds of a JSON text. */
export interface JsonBounds {
  /** Members of objects and lists, in all. */
  readonly values: number;
  /** Objects and lists within each other. */
  readonly depth: number;
}

/** A text is parsed in pieces of about so many bytes; a modest one at once, whatever is in it. */
const pieceBytes = 64 * 1024;
const modestBytes = 1024 * 1024;

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Parses a JSON text, of which all is in memory. Throws a SyntaxError if it is none, or passes its bounds. */
export function parseBoundedJson(text: Buffer, bounds: JsonBounds): unknown {
  let values = 0;
  for (const { byte, depth } of structureOf(text)) {
    if (byte === comma || byte === openList || byte === openObject) values += 1;
    if (values > bounds.values || depth > bounds.depth)
      throw new SyntaxError(`more than ${bounds.values} values, or ${bounds.depth} levels`);
  }
  return JSON.parse(text.toString("utf8"));
}

/**
 * The elements of a JSON list, of which only a piece is in memory at a time. Throws a SyntaxError if the
 * text is no list, and if one of over 1 MiB has an element of more than 64 KiB or more levels than
 * `depth`.
 */
export function* elementsOf(text: Buffer, depth: number): Generator<unknown> {
  if (text.length <= modestBytes) yield* parseList(text);
  else yield* elementsInPieces(text, depth);
}

function parseList(text: Buffer): unknown[] {
  const list: unknown = JSON.parse(text.toString("utf8"));
  if (!Array.isArray(list)) throw new SyntaxError("not a list");
  return list;
}

function* elementsInPieces(text: Buffer, depth: number): Generator<unknown> {
  let start: number | undefined;
  let end: number | undefined;
  let last = 0;
  for (const { byte, at, depth: level } of structureOf(text)) {
    if (end !== undefined || level > depth + 1)
      throw new SyntaxError("more than one list, or too deep");
    if (start === undefined) {
      if (byte !== openList || text.toString("latin1", 0, at).trim() !== "")
        throw new SyntaxError("not a list");
      start = at + 1;
      last = start;
      continue;
    }
    requireModest(at - last);
    if (byte === closeList && level === 0) end = at;
    else if (byte === comma && level === 1) {
      last = at + 1;
      if (at - start < pieceBytes) continue;
      yield* parsePiece(text.subarray(start, at));
      start = last;
    }
  }
  if (start === undefined || end === undefined) throw new SyntaxError("not a whole list");
  if (text.toString("latin1", end + 1).trim() !== "") throw new SyntaxError("text behind its list");
  const rest = parsePiece(text.subarray(start, end));
  if (rest.length === 0 && text[start - 1] === comma) throw new SyntaxError("no element");
  yield* rest;
}

function requireModest(bytes: number): void {
  if (bytes > pieceBytes) throw new SyntaxError(`an element has more than ${pieceBytes} bytes`);
}

function parsePiece(elements: Buffer): unknown[] {
  return JSON.parse(`[${elements.toString("utf8")}]`) as unknown[];
}

/** Commas and brackets outside of strings, each with the depth behind it. */
function* structureOf(text: Buffer): Generator<{ byte: number; at: number; depth: number }> {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] as number;
    if (byte === quote) at = endOfString(text, at + 1);
    else if (byte === comma) yield { byte, at, depth };
    else if (byte === openList || byte === openObject) yield { byte, at, depth: ++depth };
    else if (byte === closeList || byte === closeObject) yield { byte, at, depth: --depth };
  }
}

/** Where a string's closing quote is; the end of the text if it has none. */
function endOfString(text: Buffer, start: number): number {
  for (let end = text.indexOf(quote, start); end >= 0; end = text.indexOf(quote, end + 1)) {
    let escapes = 0;
    while (end - escapes > start && text[end - escapes - 1] === backslash) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}
