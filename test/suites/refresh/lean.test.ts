import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { builtInProfiles } from "../../../server/src/domain/profile.ts";
import { createFlowBench, type FlowBench, leftOutOf } from "../../support/flow-bench.ts";
import { contents, many, write } from "../../support/trees/refresh-trees.ts";
import { fxGraphEntry, type Kernel, kernelFiles } from "./kernel-bundle.ts";

const lean = builtInProfiles.get("lean");
assert.ok(lean);
const entryName = "fxgraph/ab/fab/entry";

/** The files of a kernel as Triton writes them, in a cache at `path`. */
function kernel(letter: string, options: { device?: number; cacheDir?: string } = {}): Kernel {
  const { device = 0, cacheDir = "/cache" } = options;
  const hash = letter.repeat(52);
  const path = `${cacheDir}/triton/${device}/${hash}/k.cubin`;
  const group = JSON.stringify({ child_paths: { "k.cubin": path } });
  const files = {
    "k.cubin": `cubin ${letter}`.repeat(50_000),
    "k.json": `{"hash": "${letter}"}`,
    "__grp__k.json": group,
  };
  return { device, hash, files };
}

/** The same kernel in torch's bundle. */
function bundled({ device, hash, files }: Kernel): Kernel {
  const folder = new RegExp(`/[^"]*/${device}/${hash}`, "g");
  const entries = Object.entries(files).map(([name, content]) => [
    name,
    name.endsWith(".json") ? String(content).replaceAll(folder, "[REPLACE]") : content,
  ]);
  return { device, hash, files: Object.fromEntries(entries) };
}

const entryOf = (...kernels: Kernel[]) => fxGraphEntry(kernels.map(bundled));
const others = { ...many("rest", 20), "aotautograd/a": "graph" };

/** A bench whose local directory holds these kernels, an entry, and a few other files. */
async function benchWith(t: TestContext, kernels: Kernel[], entry: Buffer) {
  const bench = await createFlowBench(t);
  write(bench.localDir, { ...others, [entryName]: entry });
  for (const each of kernels) write(bench.localDir, kernelFiles(each));
  return bench;
}

/** Hashes, by their letters, of the kernels in a fresh load of what is stored. */
async function storedKernels(bench: FlowBench): Promise<string> {
  const names = Object.keys(await load(bench));
  const letters = names.map((name) => /^triton\/\d+\/([A-Z2-7]){52}\//.exec(name)?.[1]);
  return [...new Set(letters)].sort().join("");
}

/** The stored files, with their original paths: a load would rewrite them. */
async function load(bench: FlowBench): Promise<Record<string, string>> {
  const into = join(bench.dir, `loaded-${performance.now()}`);
  mkdirSync(into);
  assert.equal((await bench.load({ into })).status, "SUCCESS");
  const files = Object.entries(contents(into));
  return Object.fromEntries(files.map(([name, text]) => [name, text.replaceAll(into, "/cache")]));
}

describe("a lean save", () => {
  it("leaves out the kernels that an entry bundles, wherever it was, and nothing else", async (t) => {
    const [a, b, c] = [kernel("A"), kernel("B", { cacheDir: "/elsewhere" }), kernel("C")];
    for (const format of ["tar.zst", "tar.gz"] as const) {
      const bench = await benchWith(t, [a, b, c], entryOf(a, b));
      const saved = await bench.save({ profile: lean, format });
      assert.equal(saved.status, "SUCCESS");
      assert.deepEqual(leftOutOf(saved), {});
      const kept = { ...others, [entryName]: entryOf(a, b).toString("latin1"), ...kernelFiles(c) };
      assert.deepEqual(Object.keys(await load(bench)).sort(), Object.keys(kept).sort());
    }
  });

  it("keeps each kernel that is not file for file and byte for byte what torch would write", async (t) => {
    const [a, b, c, d, e, f] = [..."ABCDEF"].map((letter) => kernel(letter));
    assert.ok(a && b && c && d && e && f);
    const changed = (each: Kernel, name: string, content: string) => ({
      ...each,
      files: { ...each.files, [name]: content },
    });
    const atLastByte = `${String(b.files["k.cubin"]).slice(0, -1)}!`;
    const kernels = [
      a,
      changed(b, "k.cubin", atLastByte),
      changed(c, "more.llir", "not bundled"),
      { ...d, device: 1 },
      changed(e, "__grp__k.json", String(e.files["__grp__k.json"]).replaceAll("E", "G")),
      changed(f, "below/k.cubin", "in a folder"),
    ];
    const bench = await benchWith(t, kernels, entryOf(a, b, c, d, e, f));
    await bench.save({ profile: lean });
    assert.equal(await storedKernels(bench), "BCDEF");
  });

  it("keeps a kernel of which another entry bundles less: torch would write that", async (t) => {
    const [a, b] = [kernel("A"), kernel("B")];
    const bench = await benchWith(t, [a, b], entryOf(a, b));
    const less = { ...b, files: { "k.json": b.files["k.json"] ?? "" } };
    write(bench.localDir, { "fxgraph/cd/fcd/entry": entryOf(less) });
    await bench.save({ profile: lean });
    assert.equal(await storedKernels(bench), "B");
  });

  it("keeps the kernels of an entry that torch cannot read, or that does not travel", async (t) => {
    const [a, b] = [kernel("A"), kernel("B")];
    const cutShort = await benchWith(t, [a, b], entryOf(a, b).subarray(0, -1));
    await cutShort.save({ profile: lean });
    assert.equal(await storedKernels(cutShort), "AB");
    const excluded = await benchWith(t, [a], entryOf(a));
    await excluded.save({ profile: { ...lean, exclude: ["fxgraph/**"] } });
    assert.equal(await storedKernels(excluded), "A");
  });

  it("waits until a young entry is finished", async (t) => {
    const a = kernel("A");
    const bench = await benchWith(t, [a], entryOf(a));
    writeFileSync(join(bench.localDir, entryName), entryOf(a));
    await bench.save({ profile: lean });
    assert.equal(await storedKernels(bench), "");
  });

  it("keeps the kernels of an entry that changes or goes while they are left out", async (t) => {
    const a = kernel("A");
    const bench = await benchWith(t, [a], entryOf(a));
    await bench.save({
      profile: lean,
      onProgress({ phase }) {
        if (phase === "PACKING") rmSync(join(bench.localDir, entryName), { force: true });
      },
    });
    assert.equal(await storedKernels(bench), "A");
  });
});

describe("a lean refresh", () => {
  const [a, b, c] = [kernel("A"), kernel("B"), kernel("C")];

  it("is not saved again once torch has written the kernels, and adds those that torch had to compile", async (t) => {
    const bench = await benchWith(t, [a, b], entryOf(a, b));
    const refresh = () => bench.save({ policy: "REFRESH", profile: lean });
    assert.equal((await refresh()).cache?.fileCount, 22);
    rmSync(bench.localDir, { recursive: true });
    await bench.load();
    assert.equal((await refresh()).status, "SKIPPED");
    for (const each of [a, b]) write(bench.localDir, kernelFiles(each));
    assert.equal((await refresh()).status, "SKIPPED");
    write(bench.localDir, kernelFiles(c));
    const second = await refresh();
    assert.equal(second.cache?.generation, 2);
    assert.equal(await storedKernels(bench), "C");
    assert.equal((await refresh()).status, "SKIPPED");
  });

  it("loses nothing that a full save stored, however much it appends", async (t) => {
    const bench = await benchWith(t, [a, b], entryOf(a, b));
    await bench.save();
    const expected = await load(bench);
    for (const name of ["x", "y"]) {
      const more = { [`more/${name}`]: name.repeat(3_000_000) };
      write(bench.localDir, more);
      Object.assign(expected, more);
      const refreshed = await bench.save({ policy: "REFRESH", profile: lean });
      assert.equal(refreshed.status, "SUCCESS");
      assert.deepEqual(await load(bench), expected);
    }
  });

  it("leaves what it did not store to a full refresh", async (t) => {
    const bench = await benchWith(t, [a, b], entryOf(a, b));
    await bench.save({ profile: lean });
    assert.equal((await bench.save({ policy: "REFRESH" })).status, "SUCCESS");
    assert.deepEqual(await load(bench), contents(bench.localDir));
  });
});
