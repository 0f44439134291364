// Tar streams made by hand, for entries that no tar program would write.

/** An entry of a tar stream: the fields of its header, and the content that follows. */
export interface RawEntry {
  readonly name: string | Buffer;
  /** The type flag; "0", a file, by default. */
  readonly type?: string;
  readonly content?: string | Buffer;
  /** The size in the header, if it is to differ from the content's. */
  readonly size?: number;
  readonly linkname?: string;
  readonly mode?: number;
}

const blockBytes = 512;

/** Header, content and padding of an entry. */
export function rawEntry(entry: RawEntry): Buffer {
  const content = Buffer.from((entry.content ?? "") as string);
  const header = Buffer.alloc(blockBytes);
  Buffer.from(entry.name as string).copy(header, 0, 0, 100);
  const octal = (at: number, width: number, value: number) =>
    header.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "latin1");
  octal(100, 8, entry.mode ?? 0o644);
  octal(108, 8, 0);
  octal(116, 8, 0);
  octal(124, 12, entry.size ?? content.length);
  octal(136, 12, 1_700_000_000);
  header.fill(0x20, 148, 156);
  header.write(entry.type ?? "0", 156, "latin1");
  header.write(entry.linkname ?? "", 157, 100, "utf8");
  header.write("ustar\u000000", 257, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  const padding = (blockBytes - (content.length % blockBytes)) % blockBytes;
  return Buffer.concat([header, content, Buffer.alloc(padding)]);
}

/** A PAX header for the entry that follows. */
export function paxHeader(records: Readonly<Record<string, string>>, type = "x"): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    let length = rest + 1;
    while (length !== rest + String(length).length) length = rest + String(length).length;
    return `${length} ${key}=${value}\n`;
  });
  return rawEntry({ name: "pax", type, content: lines.join("") });
}

/** The blocks that end a tar stream. */
export const tarEnd = Buffer.alloc(2 * blockBytes);
