import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { Reason } from "../../../server/src/domain/cache-error.ts";
import { createFlowBench, scratchDir, suiteBench } from "../../support/flow-bench.ts";
import { cannotMount, mountTmpfs } from "../../support/machine/mounts.ts";
import { assertNothingOpen, assertRefused } from "../../support/refusal.ts";
import { paxHeader, rawEntry, tarEnd } from "../../support/tar/raw-tar.ts";
import { listTree, makeTree, noise } from "../../support/trees/trees.ts";

const fine = rawEntry({ name: "fine.txt", content: "fine" });

/** A whole archive whose tar stream consists of these pieces. */
function archive(...pieces: Buffer[]): Buffer {
  return gzipSync(Buffer.concat([fine, ...pieces, tarEnd]), { level: 1 });
}

const file = (name: string | Buffer, content: string | Buffer = "content") =>
  rawEntry({ name, content });
const directory = (name: string) => rawEntry({ name, type: "5" });
const gnuLongName = (name: string) =>
  rawEntry({ name: "././@LongLink", type: "L", content: `${name}\0` });

describe("a hostile archive is refused whole", () => {
  const bench = suiteBench();
  const cases: [string, Reason, Buffer][] = [
    ["an absolute name", "ARCHIVE_UNSAFE", archive(file("/tmp/compilecache-evil"))],
    ["an absolute name behind ./", "ARCHIVE_UNSAFE", archive(file(".//tmp/compilecache-evil"))],
    ["an absolute directory", "ARCHIVE_UNSAFE", archive(directory("/tmp/compilecache-evil/"))],
    [
      "an absolute name in a PAX record",
      "ARCHIVE_UNSAFE",
      archive(paxHeader({ path: "/tmp/evil" }), file("x")),
    ],
    ["an absolute long name", "ARCHIVE_UNSAFE", archive(gnuLongName("/tmp/evil"), file("x"))],
    ["..", "ARCHIVE_UNSAFE", archive(file("../evil"))],
    [".. in the middle", "ARCHIVE_UNSAFE", archive(file("a/../../evil"))],
    [".. that stays inside", "ARCHIVE_UNSAFE", archive(file("a/../b"))],
    [".. at the end", "ARCHIVE_UNSAFE", archive(directory("a/.."))],
    [
      ".. in a PAX record",
      "ARCHIVE_UNSAFE",
      archive(paxHeader({ path: "a/../../evil" }), file("x")),
    ],
    [
      ".. in a long name",
      "ARCHIVE_UNSAFE",
      archive(gnuLongName(`${"../../".repeat(50)}evil`), file("x")),
    ],
    ["a NUL in a PAX record", "ARCHIVE_UNSAFE", archive(paxHeader({ path: "a\0b" }), file("x"))],
    ["a NUL in a long name", "ARCHIVE_UNSAFE", archive(gnuLongName("a\0b"), file("x"))],
    [
      "a name that is not UTF-8",
      "ARCHIVE_UNSUPPORTED",
      archive(file(Buffer.from("caf\xe9", "latin1"))),
    ],
    [
      "a line break in a PAX name",
      "ARCHIVE_UNSUPPORTED",
      archive(paxHeader({ path: "a\nb" }), file("x")),
    ],
    [
      "a component that is too long",
      "ARCHIVE_UNSAFE",
      archive(gnuLongName("x".repeat(256)), file("x")),
    ],
    [
      "a name that is too long",
      "ARCHIVE_UNSAFE",
      archive(gnuLongName("x/".repeat(2100)), file("x")),
    ],
    [
      "a name 200 directories deep",
      "ARCHIVE_UNSAFE",
      archive(gnuLongName("x/".repeat(200)), file("x")),
    ],
    ["an empty component", "ARCHIVE_UNSAFE", archive(file("a//b"))],
    ["the marker", "ARCHIVE_UNSAFE", archive(file(".compilecache-not-loaded"))],
    ["a file in the marker", "ARCHIVE_UNSAFE", archive(file(".compilecache-not-loaded/x"))],
    ["a stage", "ARCHIVE_UNSAFE", archive(directory("./.compilecache-stage-0123456789abcdef/"))],
    ["a stage deep inside", "ARCHIVE_UNSAFE", archive(file("a/b/.compilecache-stage-0/x"))],
    [
      "a symbolic link",
      "ARCHIVE_UNSAFE",
      archive(rawEntry({ name: "l", type: "2", linkname: "fine.txt" })),
    ],
    [
      "a symbolic link out",
      "ARCHIVE_UNSAFE",
      archive(rawEntry({ name: "l", type: "2", linkname: "/etc" }), file("l/evil")),
    ],
    [
      "a hard link to a later file",
      "ARCHIVE_UNSAFE",
      archive(rawEntry({ name: "l", type: "1", linkname: "late" }), file("late")),
    ],
    [
      "a hard link to a directory",
      "ARCHIVE_UNSAFE",
      archive(directory("d/"), rawEntry({ name: "l", type: "1", linkname: "d" })),
    ],
    [
      "a hard link with content",
      "ARCHIVE_UNSUPPORTED",
      archive(rawEntry({ name: "l", type: "1", linkname: "fine.txt", content: "other" })),
    ],
    [
      "a hard link out",
      "ARCHIVE_UNSAFE",
      archive(rawEntry({ name: "l", type: "1", linkname: "/etc/passwd" })),
    ],
    ["a character device", "ARCHIVE_UNSAFE", archive(rawEntry({ name: "d", type: "3" }))],
    ["a block device", "ARCHIVE_UNSAFE", archive(rawEntry({ name: "d", type: "4" }))],
    ["a FIFO", "ARCHIVE_UNSAFE", archive(rawEntry({ name: "d", type: "6" }))],
    [
      "a sparse file, as GNU writes it",
      "ARCHIVE_UNSUPPORTED",
      archive(rawEntry({ name: "s", type: "S" })),
    ],
    [
      "a sparse file, as PAX writes it",
      "ARCHIVE_UNSUPPORTED",
      archive(
        paxHeader({
          "GNU.sparse.major": "1",
          "GNU.sparse.minor": "0",
          "GNU.sparse.name": "s",
          "GNU.sparse.realsize": "99",
        }),
        file("GNUSparseFile.0/s", "1\n0\n9\n"),
      ),
    ],
    [
      "a file of several volumes",
      "ARCHIVE_UNSUPPORTED",
      archive(rawEntry({ name: "m", type: "M" })),
    ],
    [
      "an unknown type",
      "ARCHIVE_UNSUPPORTED",
      archive(rawEntry({ name: "m", type: "Z", content: "x" })),
    ],
    [
      "a link by a PAX record",
      "ARCHIVE_UNSAFE",
      archive(
        paxHeader({ linkpath: "/etc/passwd" }),
        rawEntry({ name: "l", type: "2", linkname: "x" }),
      ),
    ],
    ["a file, then a directory of its name", "ARCHIVE_UNSAFE", archive(file("a"), directory("a/"))],
    ["a file, then one below it", "ARCHIVE_UNSAFE", archive(file("a"), file("a/b"))],
    ["a directory, then a file of its name", "ARCHIVE_UNSAFE", archive(directory("a/"), file("a"))],
    [
      "a checksum that does not match",
      "ARCHIVE_CORRUPT",
      archive(Buffer.concat([Buffer.from("X"), file("a").subarray(1)])),
    ],
    [
      "a size that is not a number",
      "ARCHIVE_CORRUPT",
      gzipSync(Buffer.concat([fine, rawEntry({ name: "a", size: 5000 }), tarEnd])),
    ],
    ["no end", "ARCHIVE_CORRUPT", gzipSync(fine)],
    [
      "one block of an end",
      "ARCHIVE_CORRUPT",
      gzipSync(Buffer.concat([fine, tarEnd.subarray(512)])),
    ],
    ["no entry", "ARCHIVE_CORRUPT", gzipSync(tarEnd)],
    [
      "a cut tar stream",
      "ARCHIVE_CORRUPT",
      gzipSync(Buffer.concat([fine, file("a", "x".repeat(600))]).subarray(0, 1500)),
    ],
    ["a cut gzip stream", "ARCHIVE_CORRUPT", archive(file("a", "x".repeat(600))).subarray(0, -5)],
    [
      "a gzip stream with a bit flipped",
      "ARCHIVE_CORRUPT",
      flipped(archive(file("a", noise(6000).toString("hex"))), 2000),
    ],
    [
      "a refused name in a gzip stream with a bit flipped behind it",
      "ARCHIVE_CORRUPT",
      flipped(archive(file("../a"), file("b", noise(6000).toString("hex"))), 2000),
    ],
    [
      "a refused name in a zstd stream that is cut behind it",
      "ARCHIVE_CORRUPT",
      zstdCompressSync(Buffer.concat([file("../a"), file("b", noise(300_000)), tarEnd])).subarray(
        0,
        -9,
      ),
    ],
    [
      "a cut zstd stream",
      "ARCHIVE_CORRUPT",
      zstdCompressSync(Buffer.concat([fine, tarEnd])).subarray(0, -1),
    ],
    [
      "a second zstd frame that is cut",
      "ARCHIVE_CORRUPT",
      Buffer.concat([zstdCompressSync(fine), zstdCompressSync(tarEnd).subarray(0, -3)]),
    ],
    [
      "text behind the zstd frames",
      "ARCHIVE_CORRUPT",
      Buffer.concat([zstdCompressSync(Buffer.concat([fine, tarEnd])), Buffer.from("more")]),
    ],
    ["gzip in gzip", "ARCHIVE_UNSUPPORTED", gzipSync(archive())],
    [
      "zstd in gzip",
      "ARCHIVE_UNSUPPORTED",
      gzipSync(zstdCompressSync(Buffer.concat([fine, tarEnd]))),
    ],
    ["gzip in zstd", "ARCHIVE_UNSUPPORTED", zstdCompressSync(archive())],
  ];
  /** Those that a length or a checksum convicts; all others stay where they are. */
  const damaged = new Set([
    "a size that is not a number",
    "a cut tar stream",
    "a cut gzip stream",
    "a gzip stream with a bit flipped",
    "a refused name in a gzip stream with a bit flipped behind it",
    "a refused name in a zstd stream that is cut behind it",
    "a cut zstd stream",
    "a second zstd frame that is cut",
  ]);
  for (const [what, reason, content] of cases)
    it(what, async () => {
      const format = content.readUInt16BE(0) === 0x1f8b ? "tar.gz" : "tar.zst";
      const provesDamage = damaged.has(what);
      await assertRefused(bench(), content, reason, { format, provesDamage });
    });

  it("except for a name that is too long only for this file system", async () => {
    const name = `${`${"x".repeat(250)}/`.repeat(16)}${"x".repeat(72)}`;
    await assertRefused(bench(), archive(gnuLongName(name), file("x")), "LOCAL_UNAVAILABLE", {
      format: "tar.gz",
    });
  });

  it("with any content of the local directory, under each policy", async () => {
    const { localDir } = bench();
    rmSync(localDir, { recursive: true, force: true });
    makeTree(localDir, { "kept/file": "kept", "fine.txt": "mine" });
    const before = listTree(localDir);
    for (const policy of ["MERGE", "REPLACE"] as const) {
      writeFileSync(bench().archivePath("tar.gz"), archive(file("../evil")));
      await assert.rejects(bench().load({ policy }), { reason: "ARCHIVE_UNSAFE" });
      assert.deepEqual(listTree(localDir), before);
    }
    rmSync(localDir, { recursive: true });
    for (const name of bench().storeFiles()) rmSync(join(dirname(bench().archivePath()), name));
  });
});

function flipped(content: Buffer, at: number): Buffer {
  content.writeUInt8(content.readUInt8(at) ^ 0x10, at);
  return content;
}

describe("an archive that unpacks to more than is allowed", () => {
  const bench = suiteBench();
  const MiB = 1024 * 1024;
  const limits = { maxContentBytes: 10 * MiB, maxFileCount: 100 };

  it("is CACHE_TOO_LARGE when one file is over the limit on bytes, before it is written", async () => {
    const header = rawEntry({ name: "bomb", size: 2 ** 33 - 1 });
    const content = gzipSync(Buffer.concat([fine, header, Buffer.alloc(32 * MiB)]), { level: 1 });
    await assertRefused(bench(), content, "CACHE_TOO_LARGE", { format: "tar.gz", limits });
  });

  it("is CACHE_TOO_LARGE when all files together are", async () => {
    const entries = Array.from({ length: 12 }, (_, n) => file(`f${n}`, "y".repeat(MiB)));
    await assertRefused(bench(), archive(...entries), "CACHE_TOO_LARGE", {
      format: "tar.gz",
      limits,
    });
  });

  it("is CACHE_TOO_LARGE when it has too many entries, even if they are directories", async () => {
    const files = Array.from({ length: 100 }, (_, n) => file(`f${n}`, ""));
    await assertRefused(bench(), archive(...files), "CACHE_TOO_LARGE", {
      format: "tar.gz",
      limits,
    });
    const directories = Array.from({ length: 100 }, (_, n) => directory(`d${n}/`));
    await assertRefused(bench(), archive(...directories), "CACHE_TOO_LARGE", {
      format: "tar.gz",
      limits,
    });
  });

  it("is refused as it is read when it is gigabytes of zeros", async () => {
    const repeated = (member: Buffer) => Buffer.concat(Array.from({ length: 100 }, () => member));
    const gzipped = repeated(gzipSync(Buffer.alloc(32 * MiB), { level: 1 }));
    const zstd = repeated(zstdCompressSync(Buffer.alloc(32 * MiB)));
    const behind = Buffer.concat([gzipSync(Buffer.concat([fine, tarEnd])), gzipped]);
    for (const bomb of [gzipped, zstd, behind]) {
      const before = process.cpuUsage();
      await assertRefused(bench(), bomb, ["ARCHIVE_UNSAFE", "ARCHIVE_CORRUPT"], { limits });
      const { user } = process.cpuUsage(before);
      assert.ok(user < 2e6, `took ${user / 1e6} s of CPU`);
    }
    assert.ok(process.memoryUsage().rss < 1000 * MiB);
  });

  it("is refused when it is headers without end", async () => {
    const comment = paxHeader({ comment: "x".repeat(60_000) });
    const content = gzipSync(
      Buffer.concat([fine, ...Array.from({ length: 1000 }, () => comment), tarEnd]),
      { level: 1 },
    );
    await assertRefused(bench(), content, "ARCHIVE_UNSAFE", { format: "tar.gz", limits });
  });

  it("is CACHE_TOO_LARGE, and stays where it is, when the archive itself is", async () => {
    await assertRefused(bench(), archive(), "CACHE_TOO_LARGE", {
      format: "tar.gz",
      limits: { maxArchiveBytes: 20 },
    });
  });
});

describe("a foreign archive on a full file system", () => {
  it("is INSUFFICIENT_SPACE, and leaves nothing", { skip: cannotMount }, async (t) => {
    const parent = mountTmpfs(t, "size=8m");
    const bench = await createFlowBench(t, { parent, storeDir: join(scratchDir(t), "store") });
    const content = noise(6 * 1024 * 1024).toString("hex");
    writeFileSync(bench.archivePath("tar.gz"), archive(file("a", content)));
    await assert.rejects(bench.load(), { reason: "INSUFFICIENT_SPACE" });
    assert.deepEqual(readdirSync(bench.dir), []);
    await assertNothingOpen(bench.dir);
    assert.ok(existsSync(bench.archivePath("tar.gz")), "nothing is wrong with the archive");
  });
});
