// Archives that say far more of themselves than they are: small files that ask for memory and time.

import { createHash } from "node:crypto";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { maxFrameContentBytes, skippableFrame } from "../../../server/src/archive/format/format.ts";
import type { Manifest } from "../../../server/src/archive/format/manifest.ts";
import { encodeSeekTable } from "../../../server/src/archive/format/seek-table.ts";
import { encodeTarHeader } from "../../../server/src/archive/format/tar-header.ts";
import { settledAt } from "../trees/trees.ts";
import { endFrame, type ForgedFrame, type Forgery, forgeArchive, forgedFile } from "./forge.ts";
import { rawEntry, tarEnd } from "./raw-tar.ts";

/** One planted archive; made when it is asked for, for some are large. */
export interface PlantedArchive {
  readonly what: string;
  make(): Buffer;
}

const MiB = 1024 * 1024;
const plain = [forgedFile("a/one.txt"), endFrame];
const forged =
  (forgery: Forgery, frames: readonly ForgedFrame[] = plain) =>
  () =>
    forgeArchive(frames, forgery);
const withEnvironment = (change: Record<string, unknown>): Forgery => ({
  manifest: (sound) => ({ ...sound, environment: { ...sound.environment, ...change } }),
});
const manifestWith = (member: string): Forgery => ({
  manifestText: `{"format":"compilecache","version":1,${member}}`,
});

function directories(count: number, nameOf: (n: number) => string): ForgedFrame {
  const records = Array.from({ length: count }, (_, n) => ({
    name: `${nameOf(n)}/`,
    size: 0,
    mode: 0o755,
    mtime: settledAt,
  }));
  return { content: Buffer.concat(records.map((record) => encodeTarHeader(record))), records };
}

/** A frame whose section of the index is this text. */
function withIndexText(text: Buffer, content: Buffer = forgedFile("a").content): () => Buffer {
  return () => {
    const section = zstdCompressSync(text);
    const index = skippableFrame(0x184d2a50, Buffer.concat([section]));
    return forgeArchive([{ content, records: [] }], {
      index: () => index,
      manifest: (sound) => withSection(sound, section.length, index),
    });
  };
}

function withSection(sound: Manifest, bytes: number, index: Buffer): Manifest {
  const sha256 = createHash("sha256").update(index).digest("hex");
  return {
    ...sound,
    frames: sound.frames.map((frame) => ({ ...frame, index_bytes: bytes })),
    index: { bytes: index.length, sha256 },
  };
}

/** All of them. None loads; most are refused from their end, by a load, a refresh and a listing alike. */
export const plantedArchives: readonly PlantedArchive[] = [
  {
    what: "a format of 60 MB",
    make: forged({ manifestText: `{"format":"${"x".repeat(60 * MiB)}"}` }),
  },
  {
    what: "a format of 15 MB",
    make: forged({ manifestText: `{"format":"${"x".repeat(15 * MiB)}"}` }),
  },
  { what: "a seek table of 64 MB", make: () => seekTableOf(8 * MiB) },
  {
    what: "a seek table of as many frames as are read",
    make: () => seekTableOf(65_000),
  },
  {
    what: "two million labels",
    make: forged(
      withEnvironment({
        extra: Object.fromEntries(Array.from({ length: 2e6 }, (_, n) => [`l${n}`, "v"])),
      }),
    ),
  },
  {
    what: "half a million labels",
    make: forged(
      withEnvironment({
        extra: Object.fromEntries(Array.from({ length: 5e5 }, (_, n) => [`l${n}`, "v"])),
      }),
    ),
  },
  {
    what: "a label of 5 MB",
    make: forged(withEnvironment({ extra: { py: "x".repeat(5 * MiB) } })),
  },
  { what: "a version of 5 MB", make: forged(withEnvironment({ torchVersion: "1".repeat(5e6) })) },
  {
    what: "a manifest 7 million levels deep",
    make: forged(manifestWith(`"x":${"[".repeat(7e6)}${"]".repeat(7e6)}`)),
  },
  {
    what: "a manifest of 5 million lists",
    make: forged(manifestWith(`"frames":[${"[],".repeat(5e6)}[]]`)),
  },
  {
    what: "a manifest of a million empty frames",
    make: forged(manifestWith(`"frames":[${"{},".repeat(1e6)}{}]`)),
  },
  {
    what: "a manifest that supersedes half a million files",
    make: forged({
      manifest: (sound) => ({
        ...sound,
        frames: sound.frames.map((frame) => ({
          ...frame,
          superseded: Array.from({ length: 5e5 }, (_, n) => `a/${n}`),
        })),
      }),
    }),
  },
  {
    what: "a manifest that supersedes as many files as may be",
    make: forged({
      manifest: (sound) => ({
        ...sound,
        frames: sound.frames.map((frame, i) => ({
          ...frame,
          superseded: i > 0 ? [] : Array.from({ length: 262_000 }, (_, n) => `a/${n}`),
        })),
      }),
    }),
  },
  {
    what: "an index of 21 million objects",
    make: withIndexText(Buffer.from(`[${"{},".repeat(21e6)}{}]`)),
  },
  {
    what: "an index of 21 million objects, for the largest frame",
    make: withIndexText(
      Buffer.from(`[${"{},".repeat(21e6)}{}]`),
      Buffer.alloc(maxFrameContentBytes),
    ),
  },
  {
    what: "a record of the index with millions of members",
    make: withIndexText(
      Buffer.from(`[{"name":"a","size":1,"mode":1,"mtime":1,"x":[${"[],".repeat(5e6)}[]]}]`),
      Buffer.alloc(maxFrameContentBytes),
    ),
  },
  { what: "an index 30 million levels deep", make: withIndexText(Buffer.alloc(30e6, "[")) },
  {
    what: "300,000 directories of ours",
    make: forged(
      {},
      Array.from({ length: 6 }, (_, part) => directories(50_000, (n) => `d${part}-${n}`)).concat(
        endFrame,
      ),
    ),
  },
  {
    what: "directories within directories of ours",
    make: forged({}, [directories(2_000, (n) => `${n}/${"x/".repeat(120)}y`), endFrame]),
  },
  {
    what: "frames of 32 MiB of zeros",
    make: forged(
      {},
      Array.from({ length: 70 }, () => ({
        content: Buffer.alloc(maxFrameContentBytes),
        records: [],
      })),
    ),
  },
  {
    what: "300,000 directories, by tar",
    make: () =>
      gzipSync(
        foreign(300_000, (n) => `d${n}/`),
        { level: 1 },
      ),
  },
  {
    what: "directories within directories, by tar",
    make: () => zstdCompressSync(foreign(3_000, (n) => `${n}/${"x/".repeat(40)}`)),
  },
  {
    what: "a million frames of nothing",
    make: () => Buffer.alloc(13e6, zstdCompressSync(Buffer.alloc(0))),
  },
  {
    what: "a frame of a million blocks of nothing",
    make: () =>
      Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58]), Buffer.alloc(3 * 1_000_000)]),
  },
  {
    what: "a gigabyte of zeros",
    make: () =>
      zstdCompressSync(Buffer.alloc(1024 * MiB), {
        params: { [constants.ZSTD_c_compressionLevel]: 1 },
      }),
  },
  {
    what: "a link name of a megabyte",
    make: () =>
      gzipSync(
        Buffer.concat([
          rawEntry({ name: "././@LongLink", type: "K", content: `${"x".repeat(1_000_000)}\0` }),
          rawEntry({ name: "l", type: "2", linkname: "x" }),
          tarEnd,
        ]),
      ),
  },
];

function seekTableOf(frames: number): Buffer {
  const entry = { bytes: 0, contentBytes: 0 };
  return encodeSeekTable(Array.from({ length: frames }, () => entry));
}

function foreign(count: number, nameOf: (n: number) => string): Buffer {
  const entries = Array.from({ length: count }, (_, n) => rawEntry({ name: nameOf(n), type: "5" }));
  return Buffer.concat([...entries, tarEnd]);
}
