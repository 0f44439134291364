import { createHash, hash } from "node:crypto";
import {
  encodeIndexSection,
  type FileRecord,
} from "../../../server/src/archive/format/file-index.ts";
import {
  formatName,
  formatVersion,
  indexMagic,
  manifestMagic,
  skippableFrame,
} from "../../../server/src/archive/format/format.ts";
import type { Manifest } from "../../../server/src/archive/format/manifest.ts";
import { encodeSeekTable, type SeekEntry } from "../../../server/src/archive/format/seek-table.ts";
import {
  encodeTarHeader,
  tarPadding,
  tarTrailer,
} from "../../../server/src/archive/format/tar-header.ts";
import { compressFrame } from "../../../server/src/archive/pack/frame-packer.ts";
import { environmentKey } from "../../../server/src/domain/environment.ts";
import { environment, namespace } from "../flow-bench.ts";
import { settledAt } from "../trees/trees.ts";

/** A data frame to forge: its tar stream, and its records in the index. */
export interface ForgedFrame {
  readonly content: Buffer;
  readonly records: readonly unknown[];
}

/** A file in a frame: a tar header, its content and padding, and its record. */
export function forgedFile(name: string, text: string | Buffer = name): ForgedFrame {
  const data = Buffer.from(text as string);
  const record: FileRecord = { name, size: data.length, mode: 0o644, mtime: settledAt };
  const content = Buffer.concat([
    encodeTarHeader(record),
    data,
    Buffer.alloc(tarPadding(data.length)),
  ]);
  return { content, records: [record] };
}

/** The content of several frames in one. */
export function together(...frames: readonly ForgedFrame[]): ForgedFrame {
  return {
    content: Buffer.concat(frames.map(({ content }) => content)),
    records: frames.flatMap(({ records }) => records),
  };
}

/** The frame that ends the tar stream. */
export const endFrame: ForgedFrame = { content: tarTrailer, records: [] };

/** What to forge besides the frames; what is absent is made correctly. */
export interface Forgery {
  readonly manifest?: (sound: Manifest) => unknown;
  /** The text of the manifest, in place of JSON. */
  readonly manifestText?: string;
  readonly seekTable?: (sound: SeekEntry[]) => SeekEntry[];
  readonly index?: (sound: Buffer) => Buffer;
  readonly tail?: (sound: Buffer) => Buffer;
}

/** An archive in our own format that holds what it is given, with every digest right. */
export function forgeArchive(frames: readonly ForgedFrame[], forgery: Forgery = {}): Buffer {
  const packed = frames.map(({ content, records }) => {
    const frame = Buffer.from(compressFrame(content, "tar.zst"));
    const section = encodeIndexSection(records as FileRecord[]);
    return { frame, section, contentBytes: content.length };
  });
  const soundIndex = skippableFrame(indexMagic, Buffer.concat(packed.map((p) => p.section)));
  const index = forgery.index?.(soundIndex) ?? soundIndex;
  const records = frames.flatMap((frame) => frame.records as (FileRecord | null)[]);
  const files = records.filter(
    (record) => record !== null && !/\/$/.test(record.name),
  ) as FileRecord[];
  const sound: Manifest = {
    format: formatName,
    version: formatVersion,
    namespace,
    environment,
    environment_key: environmentKey(environment),
    generation: 1,
    created_at: "2026-01-02T03:04:05.678Z",
    tool: "forge",
    file_count: files.filter((record) => (record.start ?? 0) === 0).length,
    content_bytes: files.reduce((sum, record) => sum + (record.length ?? record.size), 0),
    frames: packed.map(({ frame, section, contentBytes }) => ({
      bytes: frame.length,
      sha256: hash("sha256", frame, "hex"),
      content_bytes: contentBytes,
      index_bytes: section.length,
    })),
    index: { bytes: index.length, sha256: hash("sha256", index, "hex") },
  };
  const forged = forgery.manifest ? forgery.manifest(sound) : sound;
  const json = Buffer.from(forgery.manifestText ?? JSON.stringify(forged));
  const digest = createHash("sha256").update(json).digest();
  const manifest = skippableFrame(manifestMagic, Buffer.concat([digest, json]));
  const entries = [
    ...packed.map(({ frame, contentBytes }) => ({ bytes: frame.length, contentBytes })),
    { bytes: index.length, contentBytes: 0 },
    { bytes: manifest.length, contentBytes: 0 },
  ];
  const tail = encodeSeekTable(forgery.seekTable?.(entries) ?? entries);
  return Buffer.concat([
    ...packed.map(({ frame }) => frame),
    index,
    manifest,
    forgery.tail?.(tail) ?? tail,
  ]);
}
