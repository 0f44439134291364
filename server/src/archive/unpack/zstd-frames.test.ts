import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import { noise } from "../../../../test/support/trees/trees.ts";
import { encodeIndexSection } from "../format/file-index.ts";
import { indexMagic, manifestMagic, skippableFrame } from "../format/format.ts";
import { decompressFrames } from "./zstd-frames.ts";

async function* inChunks(content: Buffer, bytes: number) {
  for (let at = 0; at < content.length; at += bytes) yield content.subarray(at, at + bytes);
}

async function decompress(content: Buffer, chunkBytes = 1 << 20): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of decompressFrames(inChunks(content, chunkBytes), () => {}))
    pieces.push(piece);
  return Buffer.concat(pieces);
}

const corrupt = { reason: "ARCHIVE_CORRUPT" };

/** Frames of all kinds of header and block: with and without size and checksum, raw, run-length. */
function frames(): { frame: Buffer; content: Buffer }[] {
  const contents = [
    Buffer.alloc(0),
    Buffer.from("a"),
    Buffer.from("text ".repeat(40)),
    Buffer.from("text ".repeat(200)),
    Buffer.alloc(100_000, "run"),
    Buffer.alloc(400_000),
    noise(300_000),
    Buffer.concat([noise(140_000), Buffer.alloc(300_000, 1), noise(5)]),
  ];
  return contents.flatMap((content) =>
    [0, 1, 2, 3].map((kind) => ({
      content,
      frame: zstdCompressSync(content, {
        params: {
          [constants.ZSTD_c_contentSizeFlag]: kind & 1,
          [constants.ZSTD_c_checksumFlag]: kind >> 1,
          [constants.ZSTD_c_windowLog]: kind > 1 ? 17 : 0,
        },
        ...(kind & 1 ? { pledgedSrcSize: content.length } : {}),
      }),
    })),
  );
}

describe("a stream of zstd frames", () => {
  const all = frames();
  const stream = Buffer.concat(all.map(({ frame }) => frame));
  const content = Buffer.concat(all.map((each) => each.content));

  it("is decompressed to its end, however it arrives", async () => {
    for (const chunkBytes of [stream.length, 65_536, 4099, 257])
      assert.ok((await decompress(stream, chunkBytes)).equals(content), `chunks of ${chunkBytes}`);
    const small = Buffer.concat(all.slice(0, 16).map(({ frame }) => frame));
    const smallContent = Buffer.concat(all.slice(0, 16).map((each) => each.content));
    assert.ok((await decompress(small, 1)).equals(smallContent), "byte by byte");
  });

  it("is decompressed frame by frame: a decoder that stops after one loses nothing", async () => {
    for (const { frame, content } of all) {
      const stopsHere = Buffer.concat([frame, Buffer.from("no frame")]);
      const got: Buffer[] = [];
      const reading = (async () => {
        for await (const piece of decompressFrames(inChunks(stopsHere, 1000), () => {}))
          got.push(piece);
      })();
      await assert.rejects(reading, corrupt);
      assert.ok(Buffer.concat(got).equals(content), "all of the frame came before the refusal");
    }
  });

  it("may hold skippable frames anywhere", async () => {
    const pieces = all.flatMap(({ frame }, i) => [
      skippableFrame(0x184d2a52 + (i % 14), noise(i * 1000)),
      frame,
    ]);
    assert.ok((await decompress(Buffer.concat(pieces), 5000)).equals(content));
    assert.equal((await decompress(skippableFrame(0x184d2a5f, noise(70_000)))).length, 0);
  });

  it("holds neither our index nor our manifest: that archive has lost its end", async () => {
    const { frame } = all[0] as { frame: Buffer };
    const section = encodeIndexSection([{ name: "a", size: 1, mode: 0o644, mtime: 0 }]);
    const manifest = Buffer.concat([
      noise(32),
      Buffer.from('{"format":"compilecache","version":1'),
    ]);
    for (const own of [
      skippableFrame(indexMagic, section),
      skippableFrame(indexMagic, Buffer.concat([section, noise(300_000)])),
      skippableFrame(manifestMagic, manifest),
    ])
      await assert.rejects(decompress(Buffer.concat([frame, own])), {
        ...corrupt,
        provesDamage: true,
      });
  });

  it("may hold frames of other programs under the numbers of our index and manifest", async () => {
    const { frame, content } = all[3] as { frame: Buffer; content: Buffer };
    const size = Buffer.from([frame.length, 0, 0, 0]);
    const strange = [
      size,
      zstdCompressSync('{"version":1,"entries":[]}'),
      noise(9),
      Buffer.alloc(0),
    ];
    for (const magic of [indexMagic, manifestMagic])
      for (const payload of strange) {
        const stream = Buffer.concat([skippableFrame(magic, payload), frame]);
        assert.ok((await decompress(stream)).equals(content));
      }
  });

  it("is corrupt wherever it is cut", async () => {
    for (const { frame } of all)
      for (const length of [
        1,
        3,
        4,
        5,
        6,
        8,
        9,
        frame.length >> 1,
        frame.length - 4,
        frame.length - 1,
      ])
        if (length > 0 && length < frame.length)
          await assert.rejects(
            decompress(frame.subarray(0, length)),
            corrupt,
            `${length} of ${frame.length}`,
          );
    await assert.rejects(
      decompress(skippableFrame(0x184d2a53, noise(50)).subarray(0, 30)),
      corrupt,
    );
  });

  it("is corrupt when it holds anything else", async () => {
    const strange = [
      Buffer.from("gzip"),
      Buffer.from([0x28, 0xb5, 0x2f, 0xfc]),
      Buffer.alloc(4),
      Buffer.from("x"),
    ];
    for (const more of strange)
      await assert.rejects(decompress(Buffer.concat([stream, more])), corrupt);
  });

  it("is corrupt when a block has the reserved type, or more than a block may", async () => {
    const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
    const block = (type: number, size: number) => {
      const bytes = Buffer.alloc(3);
      bytes.writeUIntLE(1 | (type << 1) | (size << 3), 0, 3);
      return bytes;
    };
    await assert.rejects(decompress(Buffer.concat([header, block(3, 4), noise(4)])), corrupt);
    await assert.rejects(
      decompress(Buffer.concat([header, block(0, 2_000_000), noise(2_000_000)])),
      corrupt,
    );
    await assert.rejects(
      decompress(Buffer.concat([header, block(1, 2_000_000), noise(4)])),
      corrupt,
    );
  });

  it("leaves no listeners on a decoder, however many blocks there are", async (t) => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on("warning", listen);
    t.after(() => process.off("warning", listen));
    await decompress(zstdCompressSync(noise(4 << 20)));
    await new Promise(setImmediate);
    assert.deepEqual(warnings, []);
  });

  it("stops its decoder when its caller stops early", async () => {
    for await (const piece of decompressFrames(inChunks(stream, 1000), () => {})) {
      assert.ok(piece.length > 0);
      break;
    }
  });

  it("is refused when it is frames, or blocks, of nothing", async () => {
    const skippable = skippableFrame(0x184d2a5a, Buffer.alloc(0));
    const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58]);
    // Of frames that a decoder is made for, which takes longer, there is a planted archive.
    for (const content of [
      Buffer.alloc(140_000 * skippable.length, skippable),
      Buffer.concat([header, Buffer.alloc(3 * 140_000)]),
    ])
      await assert.rejects(decompress(content), { reason: "ARCHIVE_UNSAFE" });
  });

  it("hears a cancel between frames of nothing", async () => {
    const content = Buffer.alloc(10_000 * 8, skippableFrame(0x184d2a5a, Buffer.alloc(0)));
    let frames = 0;
    const checkpoint = () => {
      if (++frames === 100) throw new Error("cancelled");
    };
    const pieces = decompressFrames(inChunks(content, content.length), checkpoint);
    await assert.rejects(pieces.next(), /cancelled/);
  });
});
