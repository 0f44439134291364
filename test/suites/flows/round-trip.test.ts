import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { archiveFormats } from "../../../server/src/domain/cache-id.ts";
import { createFlowBench, leftOutOf, scratchDir } from "../../support/flow-bench.ts";
import { type FileSpec, listTree, makeTree, noise } from "../../support/trees/trees.ts";

const long = (bytes: number, fill = "x") => fill.repeat(bytes).slice(0, bytes);

/** Names and attributes that are easy to get wrong in an archive. */
const oddFiles: Record<string, FileSpec> = {
  "plain.txt": "plain",
  empty: "",
  "fxgraph/ab/empty.json": "",
  "empty-directory/": "",
  "nested/empty/directory/": "",
  "with space/ leading and trailing ": "spaces",
  "-rf": "a leading dash",
  "--checkpoint-action=exec=sh": "an option to tar",
  ".hidden": "a leading dot",
  "..two-dots": "not the directory above",
  "...": "three dots",
  "non-ascii/größe-日本語-🚀.bin": "UTF-8",
  "decomposed/e\u0301.txt": "not normalised",
  "composed/\u00e9.txt": "not normalised either",
  "new\nline.txt": "a newline in its name",
  "quote'\"`$(id)\\.txt": "for shells",
  "tab\tand\u0001control": "control characters",
  "star*?[a].txt": "for globs",
  [`${long(100)}`]: "100 bytes, all that fits",
  [`${long(101)}`]: "one more than fits",
  [`${long(155, "d")}/${long(100)}`]: "prefix and name are full",
  [`${long(156, "d")}/${long(100)}`]: "a prefix that does not fit",
  [`${long(60, "p")}/${long(60, "q")}/${long(60, "r")}/${long(60)}`]: "a prefix of three parts",
  [`${long(200, "d")}/${long(200, "e")}/${long(255)}`]: "a name for PAX",
  [`${long(255)}`]: "the longest name",
  [`lang/${"ä".repeat(127)}`]: "254 bytes of UTF-8",
  [`${long(120, "t")}/${long(120, "u")}/`]: "",
  "bin/kernel.so": { content: "executable", mode: 0o755 },
  "bin/only-for-me.so": { content: "executable", mode: 0o700 },
  "bin/all-bits": { content: "setuid does not travel", mode: 0o6777 },
  "bin/read-only": { content: "read only", mode: 0o444 },
  "time/epoch": { content: "1970", mtime: 0 },
  "time/odd-second": { content: "odd", mtime: 1_234_567_891.987 },
  "time/2100": { content: "later", mtime: 4_102_444_800 },
  "size/511": noise(511),
  "size/512": noise(512),
  "size/513": noise(513),
};

async function roundTrip(
  t: TestContext,
  files: Record<string, FileSpec>,
  format: (typeof archiveFormats)[number],
) {
  const bench = await createFlowBench(t);
  const original = join(bench.dir, "original");
  makeTree(original, files);
  const saved = await bench.save({ format, from: original });
  assert.equal(saved.status, "SUCCESS");
  assert.deepEqual(leftOutOf(saved), {});
  const loaded = await bench.load();
  assert.equal(loaded.status, "SUCCESS");
  assert.deepEqual(listTree(bench.localDir), listTree(original));
  return { bench, original, saved };
}

/** What a program unpacks from an archive, by a shell command that gets the archive as `$1`. */
function unpackWith(t: TestContext, command: string, archive: string): string[] {
  const dir = scratchDir(t);
  execFileSync("sh", ["-c", command, "sh", archive], {
    cwd: dir,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return listTree(dir);
}

describe("a saved cache", () => {
  for (const format of archiveFormats) {
    it(`comes back with all odd names, modes and times (${format})`, async (t) => {
      const { bench, original } = await roundTrip(t, oddFiles, format);
      const mode = (name: string) => statSync(join(bench.localDir, name)).mode & 0o7777;
      assert.equal(mode("bin/all-bits"), 0o755, "set-user-id must not be kept");
      assert.equal(mode("bin/read-only"), 0o644);
      const archive = bench.archivePath(format);
      const expected = listTree(original);
      const option = format === "tar.zst" ? "--zstd" : "-z";
      assert.deepEqual(unpackWith(t, `tar ${option} -xf "$1"`, archive), expected);
      const pipe = format === "tar.zst" ? "zstd -dc" : "gzip -dc";
      assert.deepEqual(unpackWith(t, `${pipe} "$1" | tar -x`, archive), expected);
    });

    it(`comes back with thousands of tiny files (${format})`, async (t) => {
      const files: Record<string, FileSpec> = {};
      for (let n = 0; n < 4000; n++) files[`d${n % 61}/${n}.${n % 7}`] = `content ${n}`;
      const { saved } = await roundTrip(t, files, format);
      assert.equal(saved.cache?.fileCount, 4000);
    });
  }

  it("comes back with files that span frames, between small ones", async (t) => {
    const MiB = 1024 * 1024;
    const files = {
      "large.bin": noise(40 * MiB + 1, 7),
      "one-frame-less-a-little.bin": noise(16 * MiB - 16 * 1024, 5),
      "one-frame.bin": noise(16 * MiB, 3),
      "small.bin": "before the large ones",
      "z.zzz": "after the large ones",
      [`${long(180, "d")}/${long(180)}.bin`]: noise(17 * MiB, 9),
    };
    const { bench, original, saved } = await roundTrip(t, files, "tar.zst");
    assert.equal(saved.cache?.fileCount, 6);
    assert.deepEqual(unpackWith(t, 'tar --zstd -xf "$1"', bench.archivePath()), listTree(original));
  });

  it("is listed by tar as a whole, with nothing on stderr", async (t) => {
    const { bench } = await roundTrip(t, oddFiles, "tar.zst");
    const command = 'zstd -dc "$1" | tar -t 2>&1 >/dev/null';
    const said = execFileSync("sh", ["-c", command, "sh", bench.archivePath()]);
    assert.equal(said.toString(), "");
    execFileSync("zstd", ["-tq", bench.archivePath()]);
  });

  it("is the same archive for the same files, except for its creation time", async (t) => {
    const bench = await createFlowBench(t);
    makeTree(bench.localDir, oddFiles);
    const first = await bench.save();
    const second = await bench.save({ policy: "REPLACE" });
    assert.equal(second.cache?.generation, 2);
    assert.equal(second.cache?.contentBytes, first.cache?.contentBytes);
  });

  it("is nothing if the directory holds no file", async (t) => {
    const bench = await createFlowBench(t);
    assert.equal((await bench.save()).status, "SKIPPED");
    mkdirSync(join(bench.localDir, "only/empty/directories"), { recursive: true });
    assert.equal((await bench.save()).status, "SKIPPED");
    assert.deepEqual(bench.storeFiles(), []);
  });
});
