import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { inflateSync } from "node:zlib";
import { moveContent } from "./move-content.ts";

const move = { from: "/old/cache", to: "/a/longer/place" };
const back = { from: move.to, to: move.from };

/** What a file's content is once its paths were moved; undefined if it stays. */
function moved(t: TestContext, name: string, content: Buffer, relocation = move) {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "file"), content);
  const fd = openSync(join(dir, "file"), "r");
  t.after(() => closeSync(fd));
  const found = moveContent(fd, { name, size: content.length }, relocation, () => {});
  if (!found) return undefined;
  const bytes = Buffer.concat(Array.from(found.pieces(), (piece) => Buffer.from(piece)));
  assert.equal(bytes.length, found.size);
  return bytes;
}

describe("moveContent of a Triton group", () => {
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

  it("leaves alone other files, and groups that are not JSON", (t) => {
    assert.equal(moved(t, "triton/0/KEY/k.json", group("/old/cache/k.cubin")), undefined);
    for (const text of ["{", "null", '"text"', '{"child_paths":7}'])
      assert.equal(moved(t, name, Buffer.from(text)), undefined);
  });
});

describe("moveContent of a graph entry", () => {
  const name = `fxgraph/gr/${"f".repeat(52)}/${"x".repeat(52)}`;
  const vectors = new URL("../../../test/vectors/graph-entry.json", import.meta.url);
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
