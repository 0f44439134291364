import { createZstdDecompress } from "node:zlib";
import { damagedArchive, malformedArchive } from "../../domain/archive-error.ts";
import { decodeManifest, isManifest } from "../format/decode-manifest.ts";
import {
  indexMagic,
  manifestMagic,
  maxManifestBytes,
  skippableHeaderBytes,
  zstdMagic,
} from "../format/format.ts";
import { seekEntriesOf } from "../format/open-archive.ts";
import { encodeSeekTable } from "../format/seek-table.ts";
import type { Bytes } from "./bytes.ts";

/** Enough of a file index, and of a manifest, to know them. */
const indexStartBytes = 256 * 1024;
const manifestStartBytes = 256;

const lostItsEnd = "it has lost its end, or that was changed";

/**
 * Looks at the skippable frame that comes next in an archive that has no end of ours. Returns if the
 * frame is another program's. Throws ARCHIVE_CORRUPT if it is our file index or manifest: that proves
 * damage, unless the end is there as it was written, and something follows it.
 */
export async function findOwnEnd(source: Bytes): Promise<void> {
  const header = await source.look(skippableHeaderBytes);
  if (header.length < skippableHeaderBytes) return;
  const magic = header.readUInt32LE(0);
  const length = header.readUInt32LE(4);
  if (magic === indexMagic) {
    const start = await source.look(skippableHeaderBytes + Math.min(length, indexStartBytes));
    if (!(await isFileIndex(start.subarray(skippableHeaderBytes)))) return;
    await source.skip(skippableHeaderBytes + length);
    throw await judgeEnd(source);
  }
  if (magic !== manifestMagic) return;
  const start = await source.look(skippableHeaderBytes + Math.min(length, manifestStartBytes));
  if (isManifest(start.subarray(skippableHeaderBytes))) throw await judgeEnd(source);
}

/** What is wrong with an archive of ours, of which a manifest and a seek table should come next. */
async function judgeEnd(source: Bytes): Promise<Error> {
  const header = await source.look(skippableHeaderBytes);
  const isThere =
    header.length === skippableHeaderBytes && header.readUInt32LE(0) === manifestMagic;
  const length = isThere ? header.readUInt32LE(4) : 0;
  if (!isThere) return damagedArchive(lostItsEnd);
  if (length > maxManifestBytes) {
    // A file that is shorter than its manifest is damaged.
    await source.skip(skippableHeaderBytes + length);
    return malformedArchive(`its manifest has ${length} bytes, far more than an archive needs`);
  }
  const frame = await source.take(skippableHeaderBytes + length);
  const manifest = decodeManifest(frame.subarray(skippableHeaderBytes));
  const table = encodeSeekTable(seekEntriesOf(manifest, frame.length));
  if (!(await source.look(table.length)).equals(table)) return damagedArchive(lostItsEnd);
  return malformedArchive("something was appended to it, behind its end");
}

/** Whether a skippable frame holds our file index: JSON text, compressed with zstd. */
async function isFileIndex(start: Buffer): Promise<boolean> {
  if (start.length < 4 || start.readUInt32LE(0) !== zstdMagic) return false;
  const text = (await firstBytes(start)).toString();
  return text.startsWith('[{"name":');
}

/** Some of what zstd data decompresses to; nothing if it cannot be decompressed. */
function firstBytes(compressed: Buffer): Promise<Buffer> {
  const decoder = createZstdDecompress({ chunkSize: 1024 });
  return new Promise<Buffer>((resolve) => {
    decoder.once("data", resolve);
    decoder.once("error", () => resolve(Buffer.alloc(0)));
    decoder.once("end", () => resolve(Buffer.alloc(0)));
    decoder.end(compressed);
  }).finally(() => decoder.destroy());
}
