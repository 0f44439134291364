import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join, relative } from "node:path";
import { after, before, describe, it } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { type MadeCache, makeCache } from "./make-cache.ts";

describe("makeCache", () => {
  let base: string;
  let tenth: string;
  let made: MadeCache;
  before(() => {
    base = mkdtempSync(join(tmpdir(), "make-cache-"));
    tenth = join(base, "tenth");
    made = makeCache(tenth);
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  function filesIn(dir: string): string[] {
    return readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
      .sort();
  }

  function digestOf(dir: string): string {
    const hash = createHash("sha256");
    for (const name of filesIn(dir)) {
      const { mode, mtimeMs } = statSync(join(dir, name));
      hash.update(`${name} ${mode} ${mtimeMs}\0`).update(readFileSync(join(dir, name)));
    }
    return hash.digest("hex");
  }

  it("makes a tenth of the real cache, and says how much", () => {
    const names = filesIn(tenth);
    const bytes = names.reduce((sum, name) => sum + statSync(join(tenth, name)).size, 0);
    assert.deepEqual(made, { fileCount: names.length, bytes });
    assert.ok(Math.abs(made.fileCount - 1246) < 25, `${made.fileCount} files`);
    assert.ok(Math.abs(made.bytes - 72_900_000) < 2_000_000, `${made.bytes} bytes`);
    const executable = names.filter((name) => statSync(join(tenth, name)).mode & 0o100);
    assert.deepEqual(executable.map(extname), [".so"]);
  });

  it("compresses as far as the real cache, ordered by extension and size", () => {
    const files = filesIn(tenth).map((name) => ({ name, size: statSync(join(tenth, name)).size }));
    files.sort((a, b) => extname(a.name).localeCompare(extname(b.name)) || a.size - b.size);
    const content = Buffer.concat(files.map(({ name }) => readFileSync(join(tenth, name))));
    const ratio = content.length / zstdCompressSync(content).length;
    assert.ok(ratio > 18 && ratio < 26, `shrinks ${ratio.toFixed(1)} times`);
  });

  it("is the same for the same seed, and another for another", () => {
    const digests = [7, 7, 8].map((seed, i) => {
      const dir = join(base, `seed${i}`);
      makeCache(dir, { scale: 0.002, seed });
      return digestOf(dir);
    });
    assert.equal(digests[0], digests[1]);
    assert.notEqual(digests[0], digests[2]);
  });

  it("makes many small files, or one of a given size", () => {
    const small = makeCache(join(base, "small"), { scale: 0.1, sizeScale: 0.001 });
    assert.ok(small.bytes < 100_000, `${small.bytes} bytes`);
    makeCache(join(base, "large"), { scale: 0.002, sizeScale: 0.5, extraFileBytes: 20_000_000 });
    const sizes = filesIn(join(base, "large")).map(
      (name) => statSync(join(base, "large", name)).size,
    );
    assert.equal(Math.max(...sizes), 20_000_000);
  });

  it("leaves a directory that holds files alone", () => {
    writeFileSync(join(base, "mine"), "");
    assert.throws(() => makeCache(base), /is not empty/);
  });
});
