import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { before, describe, it } from "node:test";
import {
  type ArchiveFrame,
  type OwnArchive,
  openArchive,
} from "../../../server/src/archive/format/open-archive.ts";
import { seekTableFooterBytes } from "../../../server/src/archive/format/seek-table.ts";
import { CacheError } from "../../../server/src/domain/cache-error.ts";
import { ArchiveReplaced } from "../../../server/src/store/store.ts";
import { type FlowBench, namespace, suiteBench } from "../../support/flow-bench.ts";
import { assertRefused } from "../../support/refusal.ts";
import { formatWork } from "../../support/tar/format-work.ts";
import { type FileSpec, listTree, makeTree, noise } from "../../support/trees/trees.ts";

/** An archive in our own format, and where each part of it starts and ends. */
interface Sound {
  readonly bytes: Buffer;
  readonly own: OwnArchive;
  readonly expected: string[];
  readonly parts: Readonly<Record<string, readonly [number, number]>>;
}

async function saveSound(bench: FlowBench, files: Record<string, FileSpec>): Promise<Sound> {
  makeTree(bench.localDir, files);
  const expected = listTree(bench.localDir);
  await bench.save();
  const bytes = readFileSync(bench.archivePath());
  const reader = await bench.store.open({ namespace, filename: basename(bench.archivePath()) });
  assert.ok(reader);
  const own = (await openArchive(reader, formatWork)) as OwnArchive;
  await reader[Symbol.asyncDispose]();
  const parts: Record<string, readonly [number, number]> = {};
  for (const [i, frame] of own.frames.entries())
    parts[`frame ${i}`] = [frame.offset, frame.offset + frame.bytes];
  const manifestStart = own.indexOffset + 8 + bytes.readUInt32LE(own.indexOffset + 4);
  const footerStart = bytes.length - seekTableFooterBytes;
  const tableStart = footerStart - (own.frames.length + 2) * 8 - 8;
  parts.index = [own.indexOffset, manifestStart];
  parts.manifest = [manifestStart, tableStart];
  parts["seek table"] = [tableStart, footerStart];
  parts.footer = [footerStart, bytes.length];
  return { bytes, own, expected, parts };
}

/**
 * Loads an archive; returns whether that gave the whole tree, a refusal, or (which must not be)
 * anything else.
 */
async function outcome(
  bench: FlowBench,
  archive: Uint8Array,
  expected: string[],
  provesDamage = true,
): Promise<string> {
  writeFileSync(bench.archivePath(), archive);
  rmSync(bench.localDir, { recursive: true, force: true });
  const error = await bench.load().then(
    () => undefined,
    (error: unknown) => error,
  );
  const tree = existsSync(bench.localDir) ? listTree(bench.localDir) : [];
  if (!error) {
    assert.deepEqual(tree, expected, "a wrong tree");
    return "the whole tree";
  }
  assert.ok(error instanceof CacheError, String((error as Error).stack));
  assert.deepEqual(tree, []);
  assert.equal(error.provesDamage, provesDamage, error.message);
  assert.equal(existsSync(bench.archivePath()), !provesDamage, "only damage is set aside");
  return error.reason;
}

describe("an archive that was damaged", () => {
  const bench = suiteBench();
  let sound: Sound;
  const load = (archive: Uint8Array, provesDamage?: boolean) =>
    outcome(bench(), archive, sound.expected, provesDamage);

  before(async () => {
    const files: Record<string, FileSpec> = { "empty-directory/": "" };
    for (let n = 0; n < 12; n++) files[`d${n % 3}/file-${n}.json`] = `{"n":${n}}`.repeat(n);
    files["noise.bin"] = noise(3_000);
    sound = await saveSound(bench(), files);
  });

  it("loads when it was not", async () => {
    assert.equal(await load(sound.bytes), "the whole tree");
  });

  it("is ARCHIVE_CORRUPT whichever byte of it has one bit flipped", async () => {
    const flips = Object.entries(sound.parts).flatMap(([part, [start, end]]) => {
      const near = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 40, 41, 60];
      const size = end - start;
      const at = [...near, ...near.map((n) => size - 1 - n), size >> 1, size >> 2];
      return [...new Set(at.filter((n) => n >= 0 && n < size))].map(
        (n) => [part, start + n] as const,
      );
    });
    assert.ok(flips.length > 120, `only ${flips.length} places`);
    for (const [i, [part, at]] of flips.entries()) {
      const damaged = Buffer.from(sound.bytes);
      damaged.writeUInt8(damaged.readUInt8(at) ^ (1 << (i % 8)), at);
      const place = `bit ${i % 8} of byte ${at} in the ${part}`;
      assert.equal(await load(damaged), "ARCHIVE_CORRUPT", place);
    }
  });

  it("is ARCHIVE_CORRUPT wherever it was cut off", async () => {
    for (const [part, [start, end]] of Object.entries(sound.parts))
      for (const at of [start, start + 1, start + 4, start + 8, (start + end) >> 1, end - 1]) {
        if (at === sound.own.indexOffset) continue;
        // Where a frame starts, nothing tells that there was more: it may be another tool's.
        const tellsNothing = at < 4 || sound.own.frames.some(({ offset }) => offset === at);
        const cut = await load(sound.bytes.subarray(0, at), !tellsNothing);
        assert.equal(cut, "ARCHIVE_CORRUPT", `cut at ${at} in the ${part}`);
      }
  });

  it("is an ordinary archive, whole, where only what follows the tar stream was cut off", async () => {
    assert.equal(await load(sound.bytes.subarray(0, sound.own.indexOffset)), "the whole tree");
  });

  it("is ARCHIVE_CORRUPT, and left, when something was put before, between or behind", async () => {
    const { bytes, parts } = sound;
    const [, end] = parts.index as readonly [number, number];
    const strange = [Buffer.from("x"), Buffer.alloc(512), noise(4096), bytes.subarray(0, 100)];
    for (const more of strange) {
      assert.equal(await load(Buffer.concat([more, bytes]), false), "ARCHIVE_CORRUPT", "before");
      assert.equal(await load(Buffer.concat([bytes, more]), false), "ARCHIVE_CORRUPT", "behind");
      const between = Buffer.concat([bytes.subarray(0, end), more, bytes.subarray(end)]);
      assert.equal(await load(between, false), "ARCHIVE_CORRUPT", "between");
    }
    assert.equal(await load(Buffer.concat([bytes, bytes]), false), "ARCHIVE_CORRUPT", "twice");
  });

  it("is ARCHIVE_CORRUPT when a block of it reads as zeros", async () => {
    for (let at = 0; at < sound.bytes.length; at += 512) {
      const zeroed = Buffer.from(sound.bytes);
      zeroed.fill(0, at, Math.min(at + 512, zeroed.length));
      // Without the start of its manifest and all of a small index, it may be another tool's.
      const [manifestStart] = sound.parts.manifest as readonly [number, number];
      const isNotOurs = at < manifestStart && at + 512 > manifestStart;
      assert.equal(await load(zeroed, !isNotOurs), "ARCHIVE_CORRUPT", `zeros at ${at}`);
    }
  });

  it("leaves nothing open, is read twice, and set aside", async () => {
    const damaged = Buffer.from(sound.bytes);
    damaged.writeUInt8(damaged.readUInt8(20) ^ 1, 20);
    bench().warnings.length = 0;
    await assertRefused(bench(), damaged, "ARCHIVE_CORRUPT");
    assert.deepEqual(bench().warnings, [
      "reading the archive failed; reading it once more",
      "set a damaged archive aside",
    ]);
  });
});

describe("an archive that is replaced while it is loaded", () => {
  const bench = suiteBench();

  it("is opened once more, and the newer one is loaded", async (t) => {
    const { bytes, expected } = await saveSound(bench(), { "small.txt": "small" });
    const { open } = bench().store;
    let opened = 0;
    t.mock.method(bench().store, "open", async (...args: Parameters<typeof open>) => {
      const reader = await open(...args);
      if (!reader || opened++ > 0) return reader;
      const read = () => Promise.reject(new ArchiveReplaced("here", undefined));
      return { ...reader, version: "replaced", read };
    });
    assert.equal(await outcome(bench(), bytes, expected), "the whole tree");
    assert.equal(opened, 2);
  });
});

describe("an archive whose large file spans frames", () => {
  const bench = suiteBench();

  it("is ARCHIVE_CORRUPT when cut at a frame, or with its frames in another order", async () => {
    const { bytes, own, expected } = await saveSound(bench(), {
      "small.txt": "small",
      "large.bin": Buffer.alloc(33 * 1024 * 1024),
    });
    assert.equal(own.frames.length, 5, "three of the large one, a small one, the end");
    const load = (archive: Uint8Array, provesDamage?: boolean) =>
      outcome(bench(), archive, expected, provesDamage);
    for (const [i, frame] of own.frames.entries()) {
      const endsInFile = i === 1 || i === 2;
      assert.equal(await load(bytes.subarray(0, frame.offset), endsInFile), "ARCHIVE_CORRUPT");
    }
    const [, second, third] = own.frames as readonly ArchiveFrame[];
    assert.ok(second && third);
    const swapped = Buffer.concat([
      bytes.subarray(0, second.offset),
      bytes.subarray(third.offset, third.offset + third.bytes),
      bytes.subarray(second.offset, third.offset),
      bytes.subarray(third.offset + third.bytes),
    ]);
    assert.equal(await load(swapped), "ARCHIVE_CORRUPT");
    assert.equal(await load(bytes), "the whole tree");
  });
});

describe("a file that is not an archive", () => {
  const bench = suiteBench();
  const cases: [string, Buffer][] = [
    ["an empty file", Buffer.alloc(0)],
    ["one byte", Buffer.from([0x28])],
    ["a zstd magic number alone", Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
    ["a gzip magic number alone", Buffer.from([0x1f, 0x8b])],
    ["a text", Buffer.from("this is not an archive\n".repeat(100))],
    ["zeros", Buffer.alloc(10_000)],
    ["noise", noise(10_000)],
  ];
  for (const [what, content] of cases)
    it(`is refused: ${what}`, async () => {
      const provesDamage = what.includes("magic number");
      await assertRefused(bench(), content, "ARCHIVE_CORRUPT", { provesDamage });
      await assertRefused(bench(), content, "ARCHIVE_CORRUPT", { provesDamage, format: "tar.gz" });
    });
});
