// Archives that begin as sound ones and are changed at random: anywhere in the file, or in what it holds,
// with every digest and length made right again, so that what is behind the digests is tried too.

import { hash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import {
  indexMagic,
  manifestMagic,
  skippableFrame,
} from "../../../server/src/archive/format/format.ts";
import type { Manifest } from "../../../server/src/archive/format/manifest.ts";
import { encodeSeekTable } from "../../../server/src/archive/format/seek-table.ts";

const corpusDir = join(import.meta.dirname, "corpus");

/** The sound archives, by name. Each loads as it is. */
export const corpus: ReadonlyMap<string, Buffer> = new Map(
  readdirSync(corpusDir).map((name) => [name, readFileSync(join(corpusDir, name))]),
);

/** An archive that is sound as long as nothing changes its parts. */
interface Sealed {
  /** What may be changed. */
  readonly parts: readonly Buffer[];
  /** The archive with other parts. */
  seal(parts: readonly Buffer[]): Buffer;
}

const sealed: readonly Sealed[] = [...corpus].flatMap(([name, archive]) => [
  { parts: [archive], seal: ([whole]) => whole as Buffer },
  ...(name.startsWith("foreign") ? sealedForeign(name, archive) : [sealedOwn(archive)]),
]);

function sealedForeign(name: string, archive: Buffer): Sealed[] {
  if (name.endsWith(".gz"))
    return [{ parts: [gunzipSync(archive)], seal: ([tar]) => gzipSync(tar as Buffer) }];
  if (name.endsWith(".zst")) {
    const tar = corpus.get(name.replace(/\.zst$/, "")) as Buffer;
    return [{ parts: [tar], seal: ([tar]) => zstdCompressSync(tar as Buffer) }];
  }
  return [];
}

/** One of ours: its parts are the tar stream of each frame, the section of each, and the manifest's text. */
function sealedOwn(archive: Buffer): Sealed {
  const tableBytes = archive.readUInt32LE(archive.length - 9) * 8 + 17;
  const manifestBytes = archive.readUInt32LE(archive.length - 17);
  const end = archive.length - tableBytes;
  const text = archive.subarray(end - manifestBytes + 40, end);
  const manifest = JSON.parse(text.toString()) as Manifest;
  const contents: Buffer[] = [];
  const sections: Buffer[] = [];
  let at = 0;
  for (const { bytes } of manifest.frames) {
    contents.push(zstdDecompressSync(archive.subarray(at, at + bytes)));
    at += bytes;
  }
  at += 8;
  for (const { index_bytes } of manifest.frames) {
    sections.push(zstdDecompressSync(archive.subarray(at, at + index_bytes)));
    at += index_bytes;
  }
  const count = contents.length;
  return {
    parts: [...contents, ...sections, text],
    seal(parts) {
      const frames = parts.slice(0, count).map((content) => zstdCompressSync(content));
      const packed = parts.slice(count, 2 * count).map((section) => zstdCompressSync(section));
      const index = skippableFrame(indexMagic, Buffer.concat(packed));
      const records = manifest.frames.map((record, i) => ({
        ...record,
        bytes: frames[i]?.length ?? 0,
        sha256: hash("sha256", frames[i] as Buffer, "hex"),
        content_bytes: parts[i]?.length ?? 0,
        index_bytes: packed[i]?.length ?? 0,
      }));
      const sound = {
        ...manifest,
        frames: records,
        index: { bytes: index.length, sha256: hash("sha256", index, "hex") },
      };
      // A manifest that was changed stays so; one that was not says what the frames are now.
      const changed = parts.at(-1) as Buffer;
      const json = changed.equals(text) ? Buffer.from(JSON.stringify(sound)) : changed;
      const digest = Buffer.from(hash("sha256", json, "hex"), "hex");
      const end = skippableFrame(manifestMagic, Buffer.concat([digest, json]));
      const table = encodeSeekTable([
        ...records.map(({ bytes, content_bytes }) => ({ bytes, contentBytes: content_bytes })),
        { bytes: index.length, contentBytes: 0 },
        { bytes: end.length, contentBytes: 0 },
      ]);
      return Buffer.concat([...frames, index, end, table]);
    },
  };
}

/** Bytes that mean something somewhere: in tar, zstd, gzip, JSON or as a length. */
const words = [
  ...["\0", "/", "../", "./", "..", "\\", '"', "{", "}", "[", "]", ",", ":", "-", "e9", "null"],
  ...["0", "1", "2", "3", "5", "7", "L", "K", "x", "g", "S", "ustar", "00000000000", "77777777777"],
  ...["99999999999999999999", "9007199254740993", ".compilecache-not-loaded/", "\ufffd"],
  ...["[[[[[[[[", "{},".repeat(500), "\xff\xff\xff\xff", "\x80\0\0\0\0\0\0\0", "x/".repeat(300)],
  ...['"name"', '"superseded":["a"]', '"start":1,"length":1', '"content_bytes":4294967296'],
  ...["\x28\xb5\x2f\xfd", "\x50\x2a\x4d\x18", "\x51\x2a\x4d\x18", "\x1f\x8b\x08", "path=", "size="],
].map((word) => Buffer.from(word, "latin1"));

/** One change of some bytes; `place` is a share of their length. */
type Change = (bytes: Buffer) => Buffer;

// No doubles, of which nearly all are next to 0.
const place = fc.nat({ max: 2 ** 30 - 1 }).map((n) => n / 2 ** 30);
const changes: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(place, fc.integer({ min: 0, max: 7 })).map(
    ([at, bit]): Change =>
      (bytes) => {
        const flipped = Buffer.from(bytes);
        const i = indexOf(bytes, at);
        if (i < flipped.length) flipped[i] = (flipped[i] as number) ^ (1 << bit);
        return flipped;
      },
  ),
  fc.tuple(place, fc.constantFrom(...words), fc.boolean()).map(
    ([at, word, insert]): Change =>
      (bytes) =>
        spliced(bytes, at, insert ? 0 : word.length, word),
  ),
  fc.tuple(place, fc.integer({ min: 1, max: 1024 })).map(
    ([at, count]): Change =>
      (bytes) =>
        spliced(bytes, at, count, Buffer.alloc(0)),
  ),
  fc.tuple(place, place, fc.integer({ min: 1, max: 1536 })).map(([from, to, count]): Change => {
    return (bytes) => {
      const start = indexOf(bytes, from);
      return spliced(bytes, to, 0, bytes.subarray(start, start + count));
    };
  }),
  place.map(
    (at): Change =>
      (bytes) =>
        bytes.subarray(0, indexOf(bytes, at)),
  ),
);

function indexOf(bytes: Buffer, at: number): number {
  return Math.floor(at * bytes.length);
}

function spliced(bytes: Buffer, at: number, removed: number, added: Buffer): Buffer {
  const i = indexOf(bytes, at);
  return Buffer.concat([bytes.subarray(0, i), added, bytes.subarray(i + removed)]);
}

/** An archive that a failure shows as base64. */
export class MutatedArchive {
  readonly content: Buffer;

  constructor(content: Buffer) {
    this.content = content;
  }

  [fc.toStringMethod](): string {
    return this.content.toString("base64");
  }
}

/** A changed archive: one of the corpus, whole or by its parts, changed one to three times. */
export const mutatedArchives: fc.Arbitrary<MutatedArchive> = fc
  .tuple(
    fc.constantFrom(...sealed),
    fc.array(fc.tuple(place, changes), { minLength: 1, maxLength: 3 }),
  )
  .map(([archive, all]) => {
    const parts = [...archive.parts];
    for (const [where, change] of all) {
      const i = Math.min(parts.length - 1, Math.floor(where * parts.length));
      parts[i] = change(parts[i] as Buffer);
    }
    return new MutatedArchive(archive.seal(parts));
  });
