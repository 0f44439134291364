// The archive format, version 1: see docs/architecture.md. A tar stream cut into independent zstd
// frames, then two skippable frames (file index, manifest) and the zstd seekable format's seek table.

export const formatName = "compilecache";
export const formatVersion = 1;

/** The most bytes of tar stream that a frame of format 1 may hold; a reader refuses more. */
export const maxFrameContentBytes = 32 * 1024 * 1024;

/** The most bytes that such a frame may have in the archive: incompressible content grows a little. */
export const maxFrameBytes = maxFrameContentBytes + 256 * 1024;

/**
 * Bytes of tar stream that this writer puts into a frame: enough to compress well, and few enough to
 * share the work out over threads.
 */
export const frameContentBytes = 16 * 1024 * 1024;

/**
 * What a reader takes of an archive's description of itself, and a writer makes: far more than a cache of
 * a million files needs, and so little that whoever writes into a store costs nobody the memory.
 */
export const maxFrames = 2 ** 15;
export const maxSuperseded = 2 ** 18;
export const maxManifestBytes = 16 * 1024 * 1024;
export const maxIndexBytes = 128 * 1024 * 1024;

/** The first two bytes of a gzip file, big-endian; the magic numbers below are little-endian. */
export const gzipMagic = 0x1f8b;
export const zstdMagic = 0xfd2fb528;
export const skippableMagicFirst = 0x184d2a50;
export const skippableMagicLast = 0x184d2a5f;
export const indexMagic = 0x184d2a50;
export const manifestMagic = 0x184d2a51;
export const seekTableMagic = 0x184d2a5e;
export const seekTableFooterMagic = 0x8f92eab1;

/** Magic number and length that open a skippable frame. */
export const skippableHeaderBytes = 8;

/** A skippable frame that holds `payload`. */
export function skippableFrame(magic: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(skippableHeaderBytes + payload.length);
  frame.writeUInt32LE(magic, 0);
  frame.writeUInt32LE(payload.length, 4);
  frame.set(payload, skippableHeaderBytes);
  return frame;
}
