import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { before, describe, it } from "node:test";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { skippableFrame } from "../../../server/src/archive/format/format.ts";
import type { ArchiveFormat } from "../../../server/src/domain/cache-id.ts";
import { suiteBench } from "../../support/flow-bench.ts";
import { paxHeader, rawEntry, tarEnd } from "../../support/tar/raw-tar.ts";
import { type FileSpec, listTree, makeTree, noise } from "../../support/trees/trees.ts";

const files: Record<string, FileSpec> = {
  "fxgraph/ab/fabc/entry": noise(100_000, 3),
  "triton/0/kernel.cubin": noise(30_000, 5),
  "triton/0/launcher.so": { content: noise(5_000, 7), mode: 0o755 },
  "empty-directory/": "",
  empty: "",
  "größe/日本語-🚀.json": "{}",
  "new\nline.txt": "a newline",
  [`${"d".repeat(150)}/${"f".repeat(150)}.txt`]: "a long name",
  [`${"ü".repeat(120)}/${"ä".repeat(120)}/${"ö".repeat(120)}.txt`]: "a long name, not ASCII",
  "time/odd-second": { content: "odd", mtime: 1_234_567_891.5 },
};

describe("an archive that another tool made", () => {
  const bench = suiteBench();
  let source: string;
  let expected: string[];

  before(() => {
    source = join(bench().dir, "source");
    makeTree(source, files);
    expected = listTree(source);
  });

  const run = (command: string, ...args: string[]) =>
    execFileSync("sh", ["-ec", command, "sh", ...args], { stdio: ["ignore", "pipe", "inherit"] });

  async function assertLoads(archive: Uint8Array, format: ArchiveFormat = "tar.zst") {
    for (const name of bench().storeFiles())
      rmSync(bench().archivePath().replace(basename(bench().archivePath()), name));
    writeFileSync(bench().archivePath(format), archive);
    rmSync(bench().localDir, { recursive: true, force: true });
    const loaded = await bench().load();
    assert.equal(loaded.status, "SUCCESS");
    assert.equal(loaded.cache?.environment, undefined, "it does not say for which environment");
    assert.deepEqual(listTree(bench().localDir), expected);
  }

  /** Makes an archive with a shell command that gets source and target as $1 and $2, and loads it. */
  async function assertMakesLoadable(command: string, format: ArchiveFormat) {
    const target = join(bench().dir, "made");
    rmSync(target, { force: true });
    run(command, source, target);
    await assertLoads(readFileSync(target), format);
  }

  const commands: [string, ArchiveFormat, string][] = [
    ["tar -czf, as b10-transfer calls it", "tar.gz", 'tar -czf "$2" -C "$1" .'],
    ["tar -czf of names", "tar.gz", 'cd "$1"; tar -czf "$2" -- *'],
    ["tar --zstd -cf", "tar.zst", 'tar --zstd -cf "$2" -C "$1" .'],
    ["zstd of several threads", "tar.zst", 'tar -c -C "$1" . | zstd -q -T2 -B1M > "$2"'],
    ["zstd --long --ultra", "tar.zst", 'tar -c -C "$1" . | zstd -q --long=27 --ultra -20 > "$2"'],
    ["zstd --no-check", "tar.zst", 'tar -c -C "$1" . | zstd -q --no-check > "$2"'],
    [
      "zstd of a file, with its size",
      "tar.zst",
      'tar -cf "$2.tar" -C "$1" .; zstd -qf --rm "$2.tar" -o "$2"',
    ],
    [
      "pzstd-like frames, one after the other",
      "tar.zst",
      'tar -c -C "$1" . | split -b 40000 --filter "zstd -q" - > "$2"',
    ],
    [
      "several gzip members",
      "tar.gz",
      'tar -c -C "$1" . | split -b 40000 --filter "gzip -c" - > "$2"',
    ],
    ["gzip -1 of GNU format", "tar.gz", 'tar -c --format=gnu -C "$1" . | gzip -1 > "$2"'],
    ["a blocking factor of 1 MiB", "tar.gz", 'tar -c -b 2048 -C "$1" . | gzip > "$2"'],
    ["tar of the wrong name for its compression (zst)", "tar.zst", 'tar -czf "$2" -C "$1" .'],
    ["tar of the wrong name for its compression (gz)", "tar.gz", 'tar --zstd -cf "$2" -C "$1" .'],
    [
      "Python's tarfile",
      "tar.gz",
      'python3 -c \'import sys, tarfile; t = tarfile.open(sys.argv[2], "w:gz", format=tarfile.GNU_FORMAT); t.add(sys.argv[1], arcname="."); t.close()\' "$1" "$2"',
    ],
  ];
  for (const [what, format, command] of commands)
    it(`loads: ${what}`, () => assertMakesLoadable(command, format));

  it("loads: PAX headers", async () => {
    const command = 'cd "$1"; tar --format=posix -czf "$2" --exclude "new*" .; ';
    const withNewline = join(source, "new\nline.txt");
    const content = readFileSync(withNewline);
    rmSync(withNewline);
    const before = expected;
    expected = listTree(source);
    try {
      await assertMakesLoadable(command, "tar.gz");
    } finally {
      expected = before;
      makeTree(source, { "new\nline.txt": content });
    }
  });

  it("loads: frames with skippable ones before, between and behind", async () => {
    const tar = run('tar -c -C "$1" .', source);
    const half = tar.length >> 1;
    const frame = (content: Uint8Array) => zstdCompressSync(content);
    const skip = (n: number, bytes: number) => skippableFrame(0x184d2a50 + n, noise(bytes));
    await assertLoads(
      Buffer.concat([
        skip(5, 0),
        skip(15, 100_000),
        frame(tar.subarray(0, half)),
        skip(2, 3),
        frame(tar.subarray(half)),
        skip(14, 9),
      ]),
    );
  });

  it("loads: frames of every kind of header", async () => {
    const tar = run('tar -c -C "$1" .', source);
    const cuts = [0, 1, 200, 300, 700, 66_000, 132_000, tar.length];
    const pieces = cuts.slice(1).map((end, i) => tar.subarray(cuts[i], end));
    const frames = pieces.flatMap((piece, i) => [
      zstdCompressSync(piece, {
        params: {
          [constants.ZSTD_c_contentSizeFlag]: i % 2,
          [constants.ZSTD_c_checksumFlag]: (i >> 1) % 2,
          [constants.ZSTD_c_compressionLevel]: 1 + i,
        },
        ...(i % 2 ? { pledgedSrcSize: piece.length } : {}),
      } as object),
      zstdCompressSync(""),
    ]);
    await assertLoads(Buffer.concat(frames));
  });

  it("loads: a seekable file that another tool made", async () => {
    const tar = run('tar -c -C "$1" .', source);
    const parts = [tar.subarray(0, 70_000), tar.subarray(70_000)].map((content) => ({
      frame: zstdCompressSync(content),
      contentBytes: content.length,
    }));
    const table = Buffer.alloc(parts.length * 12 + 9);
    parts.forEach(({ frame, contentBytes }, i) => {
      table.writeUInt32LE(frame.length, i * 12);
      table.writeUInt32LE(contentBytes, i * 12 + 4);
    });
    table.writeUInt32LE(parts.length, parts.length * 12);
    table.writeUInt8(0x80, parts.length * 12 + 4);
    table.writeUInt32LE(0x8f92eab1, parts.length * 12 + 5);
    const frames = parts.map(({ frame }) => frame);
    await assertLoads(Buffer.concat([...frames, skippableFrame(0x184d2a5e, table)]));
  });

  it("loads: sizes and names in PAX records, and comments beside them", async () => {
    const longName = `${"n".repeat(200)}/${"m".repeat(200)}`;
    const content = "content that the PAX record measures";
    const tar = Buffer.concat([
      paxHeader({ comment: "for all of it" }, "g"),
      paxHeader({
        comment: "näher",
        path: longName,
        size: String(content.length),
        mtime: "1600000000.75",
      }),
      rawEntry({ name: "short", content, size: 0 }).subarray(0, 512),
      Buffer.concat([Buffer.from(content), Buffer.alloc(512 - content.length)]),
      rawEntry({ name: "./plain", content: "plain" }),
      rawEntry({ name: "old-type", type: "\0", content: "old" }),
      rawEntry({ name: "contiguous", type: "7", content: "contiguous" }),
      rawEntry({ name: "old-directory/" }),
      tarEnd,
    ]);
    const before = expected;
    const like = join(bench().dir, "like");
    makeTree(like, {
      [longName]: { content, mtime: 1_600_000_000 },
      plain: "plain",
      "old-type": "old",
      contiguous: "contiguous",
      "old-directory/": "",
    });
    expected = listTree(like);
    try {
      await assertLoads(gzipSync(tar), "tar.gz");
    } finally {
      expected = before;
    }
  });

  it("does not follow links that it had followed to make it", async () => {
    const linked = join(bench().dir, "linked");
    mkdirSync(linked);
    symlinkSync(join(source, "empty"), join(linked, "link"));
    writeFileSync(join(linked, "file"), "file");
    rmSync(bench().localDir, { recursive: true, force: true });
    writeFileSync(bench().archivePath("tar.gz"), run('tar -czh -C "$1" .', linked));
    rmSync(bench().archivePath(), { force: true });
    assert.equal((await bench().load()).status, "SUCCESS");
    assert.equal(listTree(bench().localDir).length, 2);
  });
});
