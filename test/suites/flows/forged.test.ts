import assert from "node:assert/strict";
import { closeSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import type { FileRecord } from "../../../server/src/archive/format/file-index.ts";
import type { FrameRecord, Manifest } from "../../../server/src/archive/format/manifest.ts";
import { encodeSeekTable, type SeekEntry } from "../../../server/src/archive/format/seek-table.ts";
import { encodeTarHeader } from "../../../server/src/archive/format/tar-header.ts";
import type { Reason } from "../../../server/src/domain/cache-error.ts";
import { createFlowBench, suiteBench } from "../../support/flow-bench.ts";
import { assertRefused } from "../../support/refusal.ts";
import {
  endFrame,
  type ForgedFrame,
  type Forgery,
  forgeArchive,
  forgedFile,
  together,
} from "../../support/tar/forge.ts";
import { listTree, settledAt } from "../../support/trees/trees.ts";

const plain = [forgedFile("a/one.txt"), forgedFile("b/two.txt"), endFrame];

const withFrame = (change: Partial<Record<keyof FrameRecord, unknown>>) => (sound: Manifest) => ({
  ...sound,
  frames: sound.frames.map((frame, i) => (i === 0 ? { ...frame, ...change } : frame)),
});
const withFields = (change: Record<string, unknown>) => (sound: Manifest) => ({
  ...sound,
  ...change,
});
const withEnvironment = (change: Record<string, unknown>) => (sound: Manifest) => ({
  ...sound,
  environment: { ...sound.environment, ...change },
});
const withRecord = (change: Record<string, unknown>): ForgedFrame => {
  const { content, records } = forgedFile("a/one.txt");
  return { content, records: [{ ...(records[0] as FileRecord), ...change }] };
};

describe("an own archive whose manifest lies", () => {
  const bench = suiteBench();
  const cases: [string, Reason, Forgery][] = [
    ["is not JSON", "ARCHIVE_CORRUPT", { manifestText: "{" }],
    ["is null", "ARCHIVE_CORRUPT", { manifestText: "null" }],
    ["is a number", "ARCHIVE_CORRUPT", { manifestText: "1" }],
    ["is a list", "ARCHIVE_CORRUPT", { manifestText: "[]" }],
    ["is empty", "ARCHIVE_CORRUPT", { manifestText: "" }],
    ["is of another format", "ARCHIVE_CORRUPT", { manifest: withFields({ format: "other" }) }],
    ["is newer", "ARCHIVE_UNSUPPORTED", { manifest: withFields({ version: 2 }) }],
    [
      "is newer and of a shape unknown to us",
      "ARCHIVE_UNSUPPORTED",
      { manifestText: '{"format":"compilecache","version":7}' },
    ],
    ["has version 0", "ARCHIVE_CORRUPT", { manifest: withFields({ version: 0 }) }],
    ["has a negative version", "ARCHIVE_CORRUPT", { manifest: withFields({ version: -1 }) }],
    ["has a broken version", "ARCHIVE_CORRUPT", { manifest: withFields({ version: 0.5 }) }],
    ["has a text as version", "ARCHIVE_CORRUPT", { manifest: withFields({ version: "1" }) }],
    [
      "is for another namespace",
      "ARCHIVE_UNSAFE",
      { manifest: withFields({ namespace: "other" }) },
    ],
    [
      "is for another environment",
      "ARCHIVE_UNSAFE",
      {
        manifest: (sound) => ({
          ...sound,
          environment: { ...sound.environment, torchVersion: "2.2.0" },
          environment_key: sound.environment_key.replace("2.1.0", "2.2.0"),
        }),
      },
    ],
    [
      "names another environment than its key does",
      "ARCHIVE_CORRUPT",
      { manifest: withEnvironment({ torchVersion: "2.2.0" }) },
    ],
    [
      "names no possible environment",
      "ARCHIVE_CORRUPT",
      { manifest: withEnvironment({ torchVersion: "" }) },
    ],
    ["has a text for labels", "ARCHIVE_CORRUPT", { manifest: withEnvironment({ extra: "py" }) }],
    ["has a list for labels", "ARCHIVE_CORRUPT", { manifest: withEnvironment({ extra: ["py"] }) }],
    ["has no labels", "ARCHIVE_CORRUPT", { manifest: withEnvironment({ extra: null }) }],
    [
      "has a number for a label",
      "ARCHIVE_CORRUPT",
      { manifest: withEnvironment({ extra: { py: 3 } }) },
    ],
    ["has no environment", "ARCHIVE_CORRUPT", { manifest: withFields({ environment: null }) }],
    [
      "has a creation time that is not a date",
      "ARCHIVE_CORRUPT",
      { manifest: withFields({ created_at: "soon" }) },
    ],
    ["counts more files", "ARCHIVE_CORRUPT", { manifest: withFields({ file_count: 3 }) }],
    ["counts fewer files", "ARCHIVE_CORRUPT", { manifest: withFields({ file_count: 1 }) }],
    ["counts more bytes", "ARCHIVE_CORRUPT", { manifest: withFields({ content_bytes: 1000 }) }],
    ["counts fewer bytes", "ARCHIVE_CORRUPT", { manifest: withFields({ content_bytes: 1 }) }],
    ["counts negative files", "ARCHIVE_CORRUPT", { manifest: withFields({ file_count: -1 }) }],
    ["counts half a file", "ARCHIVE_CORRUPT", { manifest: withFields({ file_count: 1.5 }) }],
    [
      "counts beyond all numbers",
      "ARCHIVE_CORRUPT",
      { manifest: withFields({ content_bytes: 2 ** 60 }) },
    ],
    [
      "counts a huge number of files",
      "CACHE_TOO_LARGE",
      { manifest: withFields({ file_count: 2 ** 40 }) },
    ],
    [
      "counts a huge number of bytes",
      "CACHE_TOO_LARGE",
      { manifest: withFields({ content_bytes: 2 ** 50 }) },
    ],
    ["has a text as count", "ARCHIVE_CORRUPT", { manifest: withFields({ file_count: "2" }) }],
    ["has a negative generation", "ARCHIVE_CORRUPT", { manifest: withFields({ generation: -1 }) }],
    ["has no frames", "ARCHIVE_CORRUPT", { manifest: withFields({ frames: null }) }],
    [
      "has null as a frame",
      "ARCHIVE_CORRUPT",
      { manifest: withFields({ frames: [null, null, null] }) },
    ],
    ["has fewer frames than the file", "ARCHIVE_CORRUPT", { manifest: withFields({ frames: [] }) }],
    [
      "has a frame over 32 MiB",
      "ARCHIVE_CORRUPT",
      { manifest: withFrame({ content_bytes: 2 ** 25 + 1 }) },
    ],
    ["has a frame of negative size", "ARCHIVE_CORRUPT", { manifest: withFrame({ bytes: -1 }) }],
    ["has another size for a frame", "ARCHIVE_CORRUPT", { manifest: withFrame({ bytes: 10 }) }],
    [
      "has another content size for a frame",
      "ARCHIVE_CORRUPT",
      { manifest: withFrame({ content_bytes: 512 }) },
    ],
    [
      "has another digest for a frame",
      "ARCHIVE_CORRUPT",
      { manifest: withFrame({ sha256: "0".repeat(64) }) },
    ],
    [
      "has no digest for a frame",
      "ARCHIVE_CORRUPT",
      { manifest: withFrame({ sha256: undefined }) },
    ],
    [
      "has another size for a section",
      "ARCHIVE_CORRUPT",
      { manifest: withFrame({ index_bytes: 1 }) },
    ],
    [
      "has another digest for the index",
      "ARCHIVE_CORRUPT",
      { manifest: (sound) => ({ ...sound, index: { ...sound.index, sha256: "0".repeat(64) } }) },
    ],
    ["has a number for a directory", "ARCHIVE_CORRUPT", { manifest: withFields({ local_dir: 7 }) }],
    [
      "counts negative appended bytes",
      "ARCHIVE_CORRUPT",
      { manifest: withFields({ appended_bytes: -1 }) },
    ],
    [
      "has a number for a frame's directory",
      "ARCHIVE_CORRUPT",
      { manifest: withFrame({ local_dir: 7 }) },
    ],
    ["supersedes a text", "ARCHIVE_CORRUPT", { manifest: withFrame({ superseded: "a/one.txt" }) }],
    ["supersedes numbers", "ARCHIVE_CORRUPT", { manifest: withFrame({ superseded: [7] }) }],
    [
      "supersedes a file, and counts it all the same",
      "ARCHIVE_CORRUPT",
      { manifest: withFrame({ superseded: ["a/one.txt"] }) },
    ],
    [
      "supersedes a file that no later frame holds",
      "ARCHIVE_UNSAFE",
      {
        manifest: (sound) => ({
          ...withFrame({ superseded: ["a/one.txt"] })(sound),
          file_count: 1,
          content_bytes: "b/two.txt".length,
        }),
      },
    ],
    [
      "has a frame whose content is larger than both say",
      "ARCHIVE_CORRUPT",
      {
        manifest: withFrame({ content_bytes: 512 }),
        seekTable: ([first, ...rest]) => [{ bytes: first?.bytes ?? 0, contentBytes: 512 }, ...rest],
      },
    ],
  ];
  for (const [what, reason, forgery] of cases)
    it(`is refused as ${reason} when it ${what}`, async () => {
      await assertRefused(bench(), forgeArchive(plain, forgery), reason);
    });
});

describe("an own archive whose end lies", () => {
  const bench = suiteBench();
  const patched = (at: number, value: number, width: 1 | 4) => (sound: Buffer) => {
    const patch = Buffer.from(sound);
    patch.writeUIntLE(value, at < 0 ? patch.length + at : at, width);
    return patch;
  };
  const entry = (i: number, change: Partial<SeekEntry>) => (sound: SeekEntry[]) =>
    sound.map((entry, at) => (at === i ? { ...entry, ...change } : entry));
  const cases: [string, Forgery][] = [
    ["a seek table with reserved bits set", { tail: patched(-5, 0x04, 1) }],
    ["a seek table that claims checksums", { tail: patched(-5, 0x80, 1) }],
    ["a seek table of more frames", { tail: patched(-9, 6, 4) }],
    ["a seek table of no frames", { tail: patched(-9, 0, 4) }],
    ["a seek table of four thousand million frames", { tail: patched(-9, 0xffffffff, 4) }],
    ["a seek table of another length", { tail: patched(4, 12, 4) }],
    ["a seek table with another mark", { tail: patched(0, 0x184d2a5d, 4) }],
    ["a seek table with one frame less", { seekTable: (sound) => sound.slice(1) }],
    ["another size of a frame", { seekTable: entry(0, { bytes: 17 }) }],
    ["another content size of a frame", { seekTable: entry(0, { contentBytes: 17 }) }],
    ["a content size of the index", { seekTable: entry(3, { contentBytes: 17 }) }],
    ["a content size of the manifest", { seekTable: entry(4, { contentBytes: 17 }) }],
    ["another size of the manifest", { seekTable: entry(4, { bytes: 100 }) }],
    ["a manifest larger than the file", { seekTable: entry(4, { bytes: 0xffffffff }) }],
    ["an index that pretends to end early", { index: patched(4, 0, 4) }],
    ["an index that pretends to go on", { index: patched(4, 0xffff, 4) }],
    ["an index that is not a skippable frame", { index: patched(0, 0xfd2fb528, 4) }],
  ];
  for (const [what, forgery] of cases)
    it(`is refused: ${what}`, async () => {
      await assertRefused(bench(), forgeArchive(plain, forgery), "ARCHIVE_CORRUPT");
    });

  it("is refused without being read into memory when it claims to be huge", async () => {
    const path = bench().archivePath();
    const frames = 2 ** 28;
    const table = encodeSeekTable([]);
    table.writeUInt32LE(frames, table.length - 9);
    const bytes = frames * 8 + 17;
    writeFileSync(path, "");
    truncateSync(path, bytes);
    const file = openSync(path, "r+");
    writeSync(file, table, 0, 8, 0);
    writeSync(file, table, 8, 9, bytes - 9);
    closeSync(file);
    const before = process.memoryUsage().rss;
    await assert.rejects(bench().load(), { reason: "CACHE_TOO_LARGE" });
    assert.ok(process.memoryUsage().rss - before < 500e6);
    for (const name of bench().storeFiles()) rmSync(join(dirname(path), name));
  });
});

describe("an own archive whose index and tar stream disagree", () => {
  const bench = suiteBench();
  const file = forgedFile("a/one.txt", "x".repeat(100));
  const other = forgedFile("a/two.txt", "y".repeat(100));
  const zeros = (bytes: number): ForgedFrame => ({ content: Buffer.alloc(bytes), records: [] });
  const part = (start: number, length: number, size = 2000, name = "large.bin"): ForgedFrame => {
    const record = { name, size, mode: 0o644, mtime: settledAt, start, length };
    const padding = start + length === size ? (512 - (size % 512)) % 512 : 0;
    const head = start === 0 ? [encodeTarHeader(record)] : [];
    return {
      content: Buffer.concat([...head, Buffer.alloc(length, 7), Buffer.alloc(padding)]),
      records: [record],
    };
  };
  const cases: [string, Reason | Reason[], readonly ForgedFrame[]][] = [
    ["another name", "ARCHIVE_UNSAFE", [withRecord({ name: "a/two.txt" }), endFrame]],
    ["another size", "ARCHIVE_UNSAFE", [withRecord({ size: 8 }), endFrame]],
    ["another mode", "ARCHIVE_UNSAFE", [withRecord({ mode: 0o755 }), endFrame]],
    ["another time", "ARCHIVE_UNSAFE", [withRecord({ mtime: 1 }), endFrame]],
    [
      "a file that the stream lacks",
      "ARCHIVE_UNSAFE",
      [{ content: file.content, records: [...file.records, ...other.records] }, endFrame],
    ],
    [
      "a file that the index lacks",
      "ARCHIVE_UNSAFE",
      [{ content: Buffer.concat([file.content, other.content]), records: file.records }, endFrame],
    ],
    [
      "a file that no record tells of",
      "ARCHIVE_UNSAFE",
      [file, { content: other.content, records: [] }, endFrame],
    ],
    [
      "a file with content beyond the frame",
      "ARCHIVE_UNSAFE",
      [{ content: file.content.subarray(0, 550), records: file.records }, endFrame],
    ],
    ["an end before the last frame", "ARCHIVE_UNSAFE", [file, endFrame, other, endFrame]],
    ["an end within a frame", "ARCHIVE_UNSAFE", [together(file, endFrame), other, endFrame]],
    ["no end", "ARCHIVE_UNSAFE", [file]],
    ["half an end", "ARCHIVE_UNSAFE", [file, zeros(512)]],
    [
      "bytes that shift what follows",
      "ARCHIVE_UNSAFE",
      [together(file, zeros(100)), other, endFrame],
    ],
    ["a directory with content", "ARCHIVE_CORRUPT", [withRecord({ name: "a/one.txt/" }), endFrame]],
    [
      "a record of the wrong type",
      "ARCHIVE_CORRUPT",
      [{ content: file.content, records: [null] }, endFrame],
    ],
    ["a record with a negative size", "ARCHIVE_CORRUPT", [withRecord({ size: -1 }), endFrame]],
    ["a record with a broken size", "ARCHIVE_CORRUPT", [withRecord({ size: 1.5 }), endFrame]],
    ["a record without a name", "ARCHIVE_CORRUPT", [withRecord({ name: 7 }), endFrame]],
    ["a part beyond its file", "ARCHIVE_CORRUPT", [part(0, 3000), endFrame]],
    ["a part that never ends", ["ARCHIVE_CORRUPT", "ARCHIVE_UNSAFE"], [part(0, 1500), endFrame]],
    ["a part without a start", ["ARCHIVE_CORRUPT", "ARCHIVE_UNSAFE"], [part(1500, 500), endFrame]],
    [
      "parts with a hole",
      ["ARCHIVE_CORRUPT", "ARCHIVE_UNSAFE"],
      [part(0, 1000), part(1500, 500), endFrame],
    ],
    [
      "parts that overlap",
      ["ARCHIVE_CORRUPT", "ARCHIVE_UNSAFE"],
      [part(0, 1500), part(1000, 1000), endFrame],
    ],
    [
      "parts in the wrong order",
      ["ARCHIVE_CORRUPT", "ARCHIVE_UNSAFE"],
      [part(1000, 1000), part(0, 1000), endFrame],
    ],
    [
      "parts of different sizes",
      ["ARCHIVE_CORRUPT", "ARCHIVE_UNSAFE"],
      [part(0, 1000), part(1000, 1000, 3000), endFrame],
    ],
    [
      "another file between the parts of one",
      ["ARCHIVE_CORRUPT", "ARCHIVE_UNSAFE"],
      [part(0, 1024, 2048), other, part(1024, 1024, 2048), endFrame],
    ],
    [
      "another file in the frame of an unfinished part",
      ["ARCHIVE_CORRUPT", "ARCHIVE_UNSAFE"],
      [together(part(0, 1024, 2048), other), part(1024, 1024, 2048), endFrame],
    ],
  ];
  for (const [what, reason, frames] of cases)
    it(`is refused whole: ${what}`, async () => {
      await assertRefused(bench(), forgeArchive(frames), reason);
    });

  it("is refused when the same name comes twice, whole or in parts", async () => {
    const small = forgedFile("large.bin", "z".repeat(100));
    const dotted = forgedFile("./large.bin", "z".repeat(100));
    const whole = [part(0, 1000), part(1000, 1000)];
    const twice: readonly ForgedFrame[][] = [
      [file, file],
      [together(file, file)],
      [small, ...whole],
      [...whole, small],
      [dotted, ...whole],
      [...whole, ...whole],
      [...whole, part(0, 1000, 2000, "./large.bin"), part(1000, 1000, 2000, "./large.bin")],
      [forgedFile("a"), forgedFile("a/b")],
      [forgedFile("a/b"), forgedFile("a")],
    ];
    for (const frames of twice) {
      await assertRefused(bench(), forgeArchive([...frames, endFrame]), [
        "ARCHIVE_UNSAFE",
        "ARCHIVE_CORRUPT",
      ]);
    }
  });

  it("loads when nothing of it is wrong", async (t) => {
    const bench = await createFlowBench(t);
    writeFileSync(
      bench.archivePath(),
      forgeArchive(
        [file, part(0, 1000), part(1000, 1000), together(other, forgedFile("z"))].concat(endFrame),
      ),
    );
    assert.equal((await bench.load()).status, "SUCCESS");
    assert.equal(listTree(bench.localDir).length, 5);
  });
});

describe("an own archive with hostile names", () => {
  const bench = suiteBench();
  const names = [
    "/etc/passwd",
    "../x",
    "a/../../x",
    "a/..",
    ".",
    "..",
    "a//b",
    "a/./b",
    "nul\0name",
    "",
    "/",
    "../../archive/",
    "/x/",
    "../x/",
    "a/../b/",
    "x".repeat(256),
    `${"y/".repeat(2100)}z`,
    `${"y/".repeat(128)}z`,
    ".compilecache-not-loaded",
    ".compilecache-not-loaded/x",
    "a/.compilecache-stage-0123456789abcdef/x",
  ];
  for (const name of names)
    it(`is refused: ${JSON.stringify(name.slice(0, 20))}`, async () => {
      await assertRefused(
        bench(),
        forgeArchive([
          forgedFile("fine"),
          forgedFile(name, name.endsWith("/") ? "" : "x"),
          endFrame,
        ]),
        "ARCHIVE_UNSAFE",
      );
    });
});
