import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { b10ArchiveNames } from "../../../server/src/domain/b10-archive.ts";
import type { Environment } from "../../../server/src/domain/environment.ts";
import { generateKeys, parseTrustedKeys } from "../../../server/src/signing/keys.ts";
import { openB10Archives } from "../../../server/src/store/open-store.ts";
import { createFlowBench, environment, namespace, scratchDir } from "../../support/flow-bench.ts";
import { rawEntry, tarEnd } from "../../support/tar/raw-tar.ts";
import { listTree, makeTree, noise } from "../../support/trees/trees.ts";

const gpu: Environment = { ...environment, extra: { py: "3.12", gpu: "NVIDIA H100 80GB HBM3" } };
const cpu: Environment = {
  ...gpu,
  cudaVersion: "",
  computeCapability: "",
  extra: { arch: "x86_64" },
};
const files = { "fxgraph/ab/entry": noise(90_000, 3), "triton/0/kernel.cubin": noise(9_000, 5) };

const notRoot = process.getuid?.() === 0 ? false : "only root can give files away";

type Options = Parameters<typeof createFlowBench>[1];

async function createB10Bench(t: TestContext, isNamed = false, options: Options = {}) {
  const dir = scratchDir(t);
  const directory = join(dir, "b10");
  mkdirSync(directory);
  const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
  const b10Archives = openB10Archives({ directory, isNamed }, silent);
  const bench = await createFlowBench(t, { ...options, dir, b10Archives });
  const source = join(dir, "source");
  makeTree(source, files);
  const nameOf = (of: Environment, number = 0) =>
    b10ArchiveNames(of, hostname())?.names[number] ?? assert.fail("no name");
  return {
    ...bench,
    directory,
    expected: listTree(source),
    nameOf,
    /** As b10-transfer makes them. */
    archive(name: string) {
      execFileSync("tar", ["-czf", join(directory, name), "-C", source, "."]);
    },
  };
}

describe("an archive of b10-transfer", () => {
  it("is loaded where the store has none, stays, and is saved as one of ours", async (t) => {
    const bench = await createB10Bench(t);
    const name = bench.nameOf(gpu);
    bench.archive(name);
    const loaded = await bench.load({ environment: gpu });
    assert.equal(loaded.status, "SUCCESS");
    assert.equal(loaded.cache?.filename, name);
    assert.match(loaded.cache.cacheKey, /^[0-9a-f]{12}$/);
    assert.deepEqual(listTree(bench.localDir), bench.expected);
    assert.deepEqual(readdirSync(bench.directory), [name]);
    assert.equal((await bench.save({ policy: "REFRESH" })).status, "SUCCESS");
    const again = await bench.load({ policy: "REPLACE" });
    assert.match(again.cache?.filename ?? "", /^cache_[0-9a-f]{12}\.latest\.tar\.zst$/);
    assert.deepEqual(listTree(bench.localDir), bench.expected);
  });

  it("is one of 0.0.2 where that saved it on this machine", async (t) => {
    const bench = await createB10Bench(t);
    bench.archive(bench.nameOf(gpu, 1));
    assert.equal((await bench.load({ environment: gpu })).status, "SUCCESS");
  });

  it("is told of, and not loaded, where it is for machines of another kind", async (t) => {
    const bench = await createB10Bench(t);
    bench.archive("cache_0123456789abcdef.latest.tar.gz");
    bench.archive(bench.nameOf(gpu, 1).replace(hostname(), "another-host"));
    const missed = await bench.load({ environment: gpu });
    assert.equal(missed.status, "DOES_NOT_EXIST");
    assert.equal(
      missed.note,
      `2 archives of b10-transfer, for machines of another kind, in ${bench.directory}`,
    );
    assert.ok(!existsSync(bench.localDir));
  });

  it("of a CPU is loaded only where its directory was named", async (t) => {
    const bench = await createB10Bench(t);
    bench.archive(bench.nameOf(cpu));
    const missed = await bench.load({ environment: cpu });
    assert.equal(missed.status, "DOES_NOT_EXIST");
    assert.match(missed.note ?? "", /for which CPU .*COMPILE_CACHE_B10_ARCHIVES=\/.* loads it/);
    const named = await createB10Bench(t, true);
    named.archive(named.nameOf(cpu));
    assert.equal((await named.load({ environment: cpu })).status, "SUCCESS");
  });

  it("is not loaded where signatures are required", async (t) => {
    const trusted = parseTrustedKeys(generateKeys().trustedKey);
    const bench = await createB10Bench(t, true, { signing: { trusted } });
    bench.archive(bench.nameOf(gpu));
    const missed = await bench.load({ environment: gpu });
    assert.equal(missed.status, "DOES_NOT_EXIST");
    assert.match(missed.note ?? "", /was not loaded, and is left as it is: .* not signed/);
    assert.ok(!existsSync(bench.localDir));
  });

  it("of another user is loaded only where its directory was named", {
    skip: notRoot,
  }, async (t) => {
    const bench = await createB10Bench(t);
    const path = join(bench.directory, bench.nameOf(gpu));
    bench.archive(bench.nameOf(gpu));
    chownSync(path, 3000, 3000);
    const missed = await bench.load({ environment: gpu });
    assert.equal(missed.status, "DOES_NOT_EXIST");
    assert.match(
      missed.note ?? "",
      /it is of the user 3000, .*COMPILE_CACHE_B10_ARCHIVES=\/.* loads it/,
    );
    chownSync(bench.directory, 3000, 3000);
    assert.equal((await bench.load({ environment: gpu })).status, "SUCCESS");
    const named = await createB10Bench(t, true);
    named.archive(named.nameOf(gpu));
    chownSync(join(named.directory, named.nameOf(gpu)), 3000, 3000);
    assert.equal((await named.load({ environment: gpu })).status, "SUCCESS");
  });

  it("over a limit is passed over", async (t) => {
    const bench = await createB10Bench(t);
    bench.archive(bench.nameOf(gpu));
    for (const limits of [
      { maxArchiveBytes: 100 },
      { maxContentBytes: 100 },
      { maxFileCount: 1 },
    ]) {
      const missed = await bench.load({ environment: gpu, limits });
      assert.equal(missed.status, "DOES_NOT_EXIST");
      assert.match(
        missed.note ?? "",
        /was not loaded, and is left as it is: the .*: MAX_[A-Z_]+ of the daemon is /,
      );
      assert.ok(!existsSync(bench.localDir));
    }
  });

  it("is looked for only where there is a place for it", async (t) => {
    const bench = await createB10Bench(t);
    bench.archive(bench.nameOf(gpu));
    const without = await createFlowBench(t);
    assert.deepEqual(await without.load({ environment: gpu }), {
      kind: "LOAD",
      status: "DOES_NOT_EXIST",
    });
    const rocm = { ...cpu, extra: { ...cpu.extra, rocm: "6.2", gfx: "gfx942" } };
    assert.equal((await bench.load({ environment: rocm })).status, "DOES_NOT_EXIST");
  });

  it("never stands before one of the store", async (t) => {
    const bench = await createB10Bench(t);
    makeTree(bench.localDir, { ours: "ours" });
    await bench.save();
    bench.archive(bench.nameOf(gpu));
    const loaded = await bench.load({ policy: "REPLACE" });
    assert.equal(loaded.cache?.namespace, namespace);
    assert.deepEqual(readdirSync(bench.localDir), ["ours"]);
  });

  const evil = (name: string) =>
    gzipSync(Buffer.concat([rawEntry({ name, content: "evil" }), tarEnd]));
  const wrong: [string, (path: string) => void, RegExp][] = [
    [
      "truncated",
      (path) => writeFileSync(path, gzipSync(noise(90_000, 1)).subarray(0, 5_000)),
      /./,
    ],
    ["no archive at all", (path) => writeFileSync(path, noise(5_000, 1)), /./],
    ["empty", (path) => writeFileSync(path, ""), /./],
    ["one with ..", (path) => writeFileSync(path, evil("../evil")), /\.\./],
    ["one with an absolute name", (path) => writeFileSync(path, evil("/tmp/evil")), /\/tmp\/evil/],
    [
      "one with a link",
      (path) => {
        const link = rawEntry({ name: "link", type: "2", linkname: "/etc/passwd" });
        writeFileSync(path, gzipSync(Buffer.concat([link, tarEnd])));
      },
      /link/,
    ],
    ["itself a link", (path) => symlinkSync("/etc/passwd", path), /./],
    ["a directory", (path) => mkdirSync(path), /./],
    ["a pipe", (path) => execFileSync("mkfifo", [path]), /./],
  ];
  for (const [what, make, message] of wrong)
    it(`that is ${what} is passed over, left as it is, and told of`, async (t) => {
      const bench = await createB10Bench(t);
      const name = bench.nameOf(gpu);
      make(join(bench.directory, name));
      const missed = await bench.load({ environment: gpu });
      assert.equal(missed.status, "DOES_NOT_EXIST");
      const [before, reason] = (missed.note ?? "").split(" was not loaded, and is left as it is: ");
      assert.equal(before, `b10-transfer's ${name}, in ${bench.directory},`);
      assert.match(reason ?? "", message);
      assert.deepEqual(readdirSync(bench.directory), [name]);
      assert.ok(!existsSync(bench.localDir));
    });
});
