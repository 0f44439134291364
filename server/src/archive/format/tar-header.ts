/** The fields of a tar header of a file or directory. A directory's name ends in `/`. */
export interface TarEntry {
  readonly name: string;
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** Modification time, in seconds since 1970. */
  readonly mtime: number;
}

/** Headers and content fill whole blocks of so many bytes. */
export const tarBlockBytes = 512;
/** The two zero blocks that end a tar stream. */
export const tarTrailer = Buffer.alloc(2 * tarBlockBytes);

const maxOctalSize = 0o77777777777;

/** Number of bytes that pad content of `size` bytes to a whole block. */
export function tarPadding(size: number): number {
  return (tarBlockBytes - (size % tarBlockBytes)) % tarBlockBytes;
}

/**
 * The header of an entry: one ustar block, with a PAX header before it when the name or the size does
 * not fit. The same entry always gives the same bytes, because readers of format 1 compare them.
 */
export function encodeTarHeader(entry: TarEntry): Buffer {
  const split = splitName(entry.name);
  const records: string[] = [];
  if (!split) records.push(paxRecord("path", entry.name));
  if (entry.size > maxOctalSize) records.push(paxRecord("size", String(entry.size)));
  const { name, prefix } = split ?? { name: Buffer.from("long-name"), prefix: Buffer.alloc(0) };
  const type = entry.name.endsWith("/") ? "5" : "0";
  const block = ustarBlock(name, prefix, Math.min(entry.size, maxOctalSize), entry, type);
  if (records.length === 0) return block;
  const body = Buffer.from(records.join(""), "utf8");
  const head = ustarBlock(
    Buffer.from("pax"),
    Buffer.alloc(0),
    body.length,
    { mode: 0o644, mtime: 0 },
    "x",
  );
  return Buffer.concat([head, body, Buffer.alloc(tarPadding(body.length)), block]);
}

/** Length of an entry's header in bytes, without building it where it is a single block. */
export function tarHeaderBytes(entry: TarEntry): number {
  const isPlain = splitName(entry.name) !== undefined && entry.size <= maxOctalSize;
  return isPlain ? tarBlockBytes : encodeTarHeader(entry).length;
}

/** Whether a name does not fit into the header's one block. */
export function needsPaxHeader(name: string): boolean {
  return splitName(name) === undefined;
}

/** A name as ustar's name (100 bytes) and prefix (155 bytes), or undefined when it does not fit. */
function splitName(text: string): { name: Buffer; prefix: Buffer } | undefined {
  // Other tools disagree on the encoding of names in a ustar block; PAX says UTF-8.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is ASCII.
  if (!/^[\x00-\x7f]*$/.test(text)) return undefined;
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length <= 100) return { name: bytes, prefix: Buffer.alloc(0) };
  for (let i = bytes.indexOf(0x2f); i > 0 && i <= 155; i = bytes.indexOf(0x2f, i + 1)) {
    const rest = bytes.length - i - 1;
    if (rest > 0 && rest <= 100)
      return { name: bytes.subarray(i + 1), prefix: bytes.subarray(0, i) };
  }
  return undefined;
}

function ustarBlock(
  name: Buffer,
  prefix: Buffer,
  size: number,
  { mode, mtime }: { mode: number; mtime: number },
  type: string,
): Buffer {
  const block = Buffer.alloc(tarBlockBytes);
  name.copy(block, 0);
  writeOctal(block, 100, 8, mode);
  writeOctal(block, 108, 8, 0);
  writeOctal(block, 116, 8, 0);
  writeOctal(block, 124, 12, size);
  writeOctal(block, 136, 12, Math.max(0, Math.min(mtime, maxOctalSize)));
  block.fill(0x20, 148, 156);
  block.write(type, 156, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  prefix.copy(block, 345);
  let sum = 0;
  // By index: an iterator over each byte of each header would cost as much as reading the files.
  for (let i = 0; i < tarBlockBytes; i++) sum += block[i] as number;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function writeOctal(block: Buffer, at: number, width: number, value: number): void {
  block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "latin1");
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`, "utf8");
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** Whether a block is the header of a tar entry: its checksum says so. */
export function isTarHeader(block: Buffer): boolean {
  if (block.length < tarBlockBytes || block[0] === 0) return false;
  const stated = Number.parseInt(block.toString("latin1", 148, 156).replace(/\0.*/s, "").trim(), 8);
  let sum = 8 * 0x20;
  for (let i = 0; i < tarBlockBytes; i++) if (i < 148 || i >= 156) sum += block[i] as number;
  return sum === stated;
}
