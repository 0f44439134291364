import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { bundledKernels } from "./kernel-bundles.ts";
import { PickleUnreadable } from "./pickle-tokens.ts";

const vectors = new URL("../../../../test/vectors/kernel-bundle.json", import.meta.url);
/** What Python's own pickle wrote, by protocol. */
const pickles = Object.entries(JSON.parse(readFileSync(vectors, "utf8")) as Record<string, string>);
const firstPickle = Buffer.from(pickles[0]?.[1] ?? "", "base64");

function kernelsIn(t: TestContext, entry: Buffer) {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "entry"), entry);
  const fd = openSync(join(dir, "entry"), "r");
  t.after(() => closeSync(fd));
  return [...bundledKernels(fd, entry.length, () => {})].map(({ device, hash, files }) => ({
    device,
    hash,
    files: files.map(({ name, start, length }) => [
      name,
      entry.subarray(start, start + length).toString(),
    ]),
  }));
}

describe("bundledKernels", () => {
  for (const [protocol, base64] of pickles)
    it(`finds the kernels of an entry, and where their bytes lie, in ${protocol}`, (t) => {
      assert.deepEqual(kernelsIn(t, Buffer.from(base64, "base64")), [
        {
          device: 0,
          hash: "A".repeat(52),
          files: [
            ["k.cubin", "cubin of a"],
            ["__grp__k.json", '{"child_paths": {"k.cubin": "[REPLACE]/k.cubin"}}'],
          ],
        },
        { device: 1, hash: "B".repeat(52), files: [["k.cubin", "cubin of b".repeat(30)]] },
      ]);
    });

  it("throws for an entry that is cut short anywhere, or has bytes after its end", (t) => {
    for (let length = 0; length < firstPickle.length; length += 13)
      assert.throws(() => kernelsIn(t, firstPickle.subarray(0, length)), PickleUnreadable);
    const longer = Buffer.concat([firstPickle, Buffer.from(".")]);
    assert.throws(() => kernelsIn(t, longer), PickleUnreadable);
  });

  it("throws for another protocol, an operation that is not known, and lengths past the end", (t) => {
    const starts = ["8003", "806e2e", "800463", "8004580000ffff2e", `80048e${"ff".repeat(8)}2e`];
    for (const hex of starts)
      assert.throws(() => kernelsIn(t, Buffer.from(hex, "hex")), PickleUnreadable, hex);
  });

  it("passes over kernels of a class that has the name but not the module", (t) => {
    const text = firstPickle.toString("latin1").replace("torch._inductor.t", "other._inductor.t");
    assert.deepEqual(kernelsIn(t, Buffer.from(text, "latin1")), []);
  });

  it("reads an entry that is larger than its window", (t) => {
    const long = Buffer.alloc(300_000, "x");
    const length = Buffer.alloc(4);
    length.writeUInt32LE(long.length);
    // The same entry, in a list that begins with a long text.
    const entry = Buffer.concat([
      Buffer.from([0x80, 4, 0x5d, 0x28, 0x58]),
      length,
      long,
      firstPickle.subarray(2, -1),
      Buffer.from("e."),
    ]);
    assert.equal(kernelsIn(t, entry).length, 2);
  });
});
