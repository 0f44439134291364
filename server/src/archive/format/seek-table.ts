import {
  seekTableFooterMagic,
  seekTableMagic,
  skippableFrame,
  skippableHeaderBytes,
} from "./format.ts";

/** Sizes of one frame, in bytes: in the archive, and decompressed. A skippable frame has no content. */
export interface SeekEntry {
  readonly bytes: number;
  readonly contentBytes: number;
}

/** The footer is the number of frames (4 bytes), a descriptor (1) and a magic number (4). */
export const seekTableFooterBytes = 9;

/** Makes the seek table of the zstd seekable format, without checksums: the last frame of the file. */
export function encodeSeekTable(entries: readonly SeekEntry[]): Buffer {
  const payload = Buffer.allocUnsafe(entries.length * 8 + seekTableFooterBytes);
  entries.forEach((entry, i) => {
    payload.writeUInt32LE(entry.bytes, i * 8);
    payload.writeUInt32LE(entry.contentBytes, i * 8 + 4);
  });
  const footer = entries.length * 8;
  payload.writeUInt32LE(entries.length, footer);
  payload.writeUInt8(0, footer + 4);
  payload.writeUInt32LE(seekTableFooterMagic, footer + 5);
  return skippableFrame(seekTableMagic, payload);
}

/**
 * Size in bytes of the whole seek table frame, from the last 9 bytes of a file; undefined if the file
 * has no seek table.
 */
export function seekTableBytes(footer: Buffer): number | undefined {
  if (footer.length < seekTableFooterBytes) return undefined;
  const at = footer.length - seekTableFooterBytes;
  if (footer.readUInt32LE(at + 5) !== seekTableFooterMagic) return undefined;
  const entryBytes = footer.readUInt8(at + 4) & 0x80 ? 12 : 8;
  return skippableHeaderBytes + footer.readUInt32LE(at) * entryBytes + seekTableFooterBytes;
}

/** The last entry of a whole seek table frame; undefined if that is malformed, or has none. */
export function lastSeekEntry(frame: Buffer): SeekEntry | undefined {
  if (seekTableBytes(frame) !== frame.length) return undefined;
  if (frame.readUInt32LE(0) !== seekTableMagic) return undefined;
  if (frame.readUInt32LE(4) !== frame.length - skippableHeaderBytes) return undefined;
  const count = frame.readUInt32LE(frame.length - seekTableFooterBytes);
  const descriptor = frame.readUInt8(frame.length - 5);
  if (descriptor & 0x7f || count === 0) return undefined;
  const entryBytes = descriptor & 0x80 ? 12 : 8;
  const at = skippableHeaderBytes + (count - 1) * entryBytes;
  return { bytes: frame.readUInt32LE(at), contentBytes: frame.readUInt32LE(at + 4) };
}
