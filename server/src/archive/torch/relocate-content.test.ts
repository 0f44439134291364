import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { inflateSync } from "node:zlib";
import { relocateGroup } from "./group-paths.ts";
import { relocateContent } from "./relocate-content.ts";

const move = { from: "/old/cache", to: "/a/longer/place" };
const back = { from: move.to, to: move.from };

/** What a file's content is once its paths were moved; undefined if it stays. */
function moved(t: TestContext, name: string, content: Buffer, relocation = move) {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "file"), content);
  const fd = openSync(join(dir, "file"), "r");
  t.after(() => closeSync(fd));
  const found = relocateContent(fd, { name, size: content.length }, relocation, () => {});
  if (!found) return undefined;
  const bytes = Buffer.concat(Array.from(found.pieces(), (piece) => Buffer.from(piece)));
  assert.equal(bytes.length, found.size);
  return bytes;
}

describe("relocateContent of a Triton group", () => {
  const name = "triton/0/KEY/__grp__k.json";
  const group = (path: string) =>
    Buffer.from(JSON.stringify({ child_paths: { "k.cubin": path }, x: 1 }));

  it("moves its paths, and back", (t) => {
    const there = moved(t, name, group("/old/cache/triton/0/KEY/k.cubin")) as Buffer;
    assert.deepEqual(there, group("/a/longer/place/triton/0/KEY/k.cubin"));
    assert.deepEqual(moved(t, name, there, back), group("/old/cache/triton/0/KEY/k.cubin"));
  });

  it("leaves everything but the paths as Python wrote it, where it can", (t) => {
    const at = (dir: string) =>
      Buffer.from(`{"child_paths": {"k.cubin": "${dir}/triton/0/KEY/k.cubin"}, "x": 1.0}`);
    assert.deepEqual(moved(t, name, at(move.from)), at(move.to));
    const escaped = moved(t, name, at("/old/cache/\\u00fc"))?.toString() ?? "";
    assert.equal(
      JSON.parse(escaped).child_paths["k.cubin"],
      "/a/longer/place/ü/triton/0/KEY/k.cubin",
    );
  });

  it("leaves alone what is not below the old directory", (t) => {
    for (const path of ["/old/cache-2/k.cubin", "/elsewhere/k.cubin", "k.cubin"])
      assert.equal(moved(t, name, group(path)), undefined);
  });

  it("moves paths in any letters back to the bytes that Python wrote", (t) => {
    const python = Buffer.from(
      '{"child_paths": {"k.cubin": "/tmp/\\u00fc\\ud83d\\ude00\\u007f/k.cubin"}, "x": 1.0}',
    );
    const away = { from: "/tmp/ü😀\x7f", to: "/new" };
    const there = moved(t, name, python, away) as Buffer;
    assert.equal(there.toString(), '{"child_paths": {"k.cubin": "/new/k.cubin"}, "x": 1.0}');
    assert.deepEqual(moved(t, name, there, { from: away.to, to: away.from }), python);
  });

  it("moves each path once, where one directory lies in the other", (t) => {
    const paths = (...places: string[]) =>
      Buffer.from(`{"child_paths": {"a": "${places[0]}", "b": "${places[1]}"}}`);
    const deeper = { from: "/old", to: "/old/a" };
    const there = moved(t, name, paths("/old/k", "/old/a/k"), deeper) as Buffer;
    assert.deepEqual(there, paths("/old/a/k", "/old/a/a/k"));
    const back = { from: deeper.to, to: deeper.from };
    assert.deepEqual(moved(t, name, there, back), paths("/old/k", "/old/a/k"));
  });

  it("takes every group back that a load moved, however large", (t) => {
    for (const size of [65_500, 65_534, 65_538, 65_600])
      for (const { from, to } of [move, back]) {
        const here = Buffer.from(group(`${from}/k`).toString().padEnd(size));
        const there = Buffer.from(relocateGroup(here, { from, to }));
        assert.ok((moved(t, name, there, { from: to, to: from }) ?? there).equals(here));
      }
  });

  it("leaves alone other files, and what no group of Triton's is", (t) => {
    assert.equal(moved(t, "triton/0/KEY/k.json", group("/old/cache/k.cubin")), undefined);
    const nested = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
    for (const text of [
      "{",
      "null",
      '"text"',
      '{"child_paths":7}',
      `{"child_paths":{"k":"/old/cache/k"},"x":${nested}}`,
    ])
      assert.equal(moved(t, name, Buffer.from(text)), undefined);
  });
});

describe("relocateContent of a graph entry", () => {
  const name = `fxgraph/gr/${"f".repeat(52)}/${"x".repeat(52)}`;
  const vectors = new URL("../../../../test/vectors/graph-entry.json", import.meta.url);
  const pickles = JSON.parse(readFileSync(vectors, "utf8")) as Record<
    string,
    Record<string, string>
  >;
  const pickledIn = (protocol: string, dir: string) =>
    inflateSync(Buffer.from(pickles[protocol]?.[dir] ?? "", "base64"));

  for (const protocol of Object.keys(pickles)) {
    it(`makes of it what Python would have written there, and back, in ${protocol}`, (t) => {
      const [here, there] = [pickledIn(protocol, move.from), pickledIn(protocol, move.to)];
      assert.ok(moved(t, name, here)?.equals(there));
      assert.ok(moved(t, name, there, back)?.equals(here));
    });

    it(`leaves alone what names no path below the old directory, in ${protocol}`, (t) => {
      const other = { from: "/old/cach", to: "/new" };
      assert.equal(moved(t, name, pickledIn(protocol, move.from), other), undefined);
    });
  }

  it("takes every path back that it moved, however long", (t) => {
    for (const length of [240, 255, 256, 4090, 4096]) {
      const here = pickleOf(textOp(move.from.padEnd(length, "/x")));
      const there = moved(t, name, here) ?? here;
      assert.ok((moved(t, name, there, back) ?? there).equals(here), `of ${length} bytes`);
    }
  });

  it("leaves alone text that Python would have written otherwise", (t) => {
    const path = Buffer.from("/old/cache/x.py");
    const long = Buffer.concat([Buffer.from([0x58, path.length, 0, 0, 0]), path]);
    assert.equal(moved(t, name, pickleOf(long)), undefined);
  });

  it("leaves alone what no Python could read, or has more paths than any real one", (t) => {
    const path = textOp(`/old/cache/${"x".repeat(200)}`);
    const frame = (length: number, content: Buffer) => {
      const head = Buffer.alloc(9, 0x95);
      head.writeBigUInt64LE(BigInt(length), 1);
      return Buffer.concat([head, content]);
    };
    const shorter = { from: `/old/cache/${"x".repeat(199)}`, to: "/new" };
    const below = textOp(`${shorter.from}/x`);
    assert.equal(moved(t, name, pickleOf(frame(1, below)), shorter), undefined);
    const inside = frame(
      path.length + 9 + path.length,
      Buffer.concat([path, frame(path.length, path)]),
    );
    assert.equal(moved(t, name, pickleOf(inside)), undefined);
    const many = Buffer.concat(Array<Buffer>(10_001).fill(textOp("/old/cache/x")));
    assert.ok(moved(t, name, pickleOf(frame(many.length, many))) === undefined);
  });

  it("leaves alone what is no pickle, is cut short, or has another name", (t) => {
    const here = pickledIn("protocol 4", move.from);
    assert.equal(moved(t, name, Buffer.from("/old/cache/x.py")), undefined);
    assert.equal(moved(t, name, here.subarray(0, -1)), undefined);
    for (const other of ["fxgraph/x", "triton/0/KEY/k.cubin", "other/gr/f/x", "f/c.py"])
      assert.equal(moved(t, other, here), undefined);
    for (const entry of ["aotautograd/a/x", "inductor_cache/fxgraph/gr/f/x"])
      assert.ok(moved(t, entry, here));
  });
});

/** A list of values that are pickled already. */
function pickleOf(values: Buffer): Buffer {
  return Buffer.concat([Buffer.from("80045d28", "hex"), values, Buffer.from("652e", "hex")]);
}

/** Text as Python pickles it. */
function textOp(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length < 256) return Buffer.concat([Buffer.from([0x8c, bytes.length]), bytes]);
  const head = Buffer.alloc(5, 0x58);
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
