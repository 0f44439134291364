import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { environmentKey } from "../../../server/src/domain/environment.ts";
import { save } from "../../../server/src/flows/save/save.ts";
import { createAllowedDirs } from "../../../server/src/local/allowed-dirs.ts";
import {
  cacheKey,
  createFlowBench,
  environment,
  type FlowBench,
  namespace,
} from "../../support/flow-bench.ts";
import { contents, many, write } from "../../support/trees/refresh-trees.ts";

const hash = "torch_compile_cache/0a1b2c3d4e";
const listing = `${hash}/rank_0_0/backbone/vllm_compile_cache.py`;

/** What vLLM's CompilerManager writes: pprint of `{(range, graph, compiler): {handle, key}}`. */
const listingAt = (root: string) =>
  `{   ((1, 8192), 0, 'inductor_standalone'): {   'cache_key': 'aab',
                                               'graph_handle': (   'artifact_compile_range_1_8192_subgraph_0',
                                                                   '${root}/${hash}/rank_0_0/backbone/artifact_compile_range_1_8192_subgraph_0')}}`;

/** The files of a real start that name the directory and work elsewhere all the same. */
const harmlessAt = (root: string) => ({
  [`${hash}/rank_0_0/backbone/artifact_compile_range_1_8192_subgraph_0`]: Buffer.from(
    `\x80\x05\x8c\x20# kernel path: ${root}/${hash}/rank_0_0/inductor_cache/ab/cab.py\n\xff`,
    "latin1",
  ),
  [`torch_compile_cache/torch_aot_compile/${"9".repeat(64)}/rank_0_0/model`]: Buffer.from(
    `\x80\x04B\0\0${root}/inductor_cache/ab/cab.py\xfe`,
    "latin1",
  ),
  "triton/0/KEY/k.cubin": Buffer.from(`\x7fELF\0${root}/ab\0cab.py\0`, "latin1"),
  "triton/0/KEY/k.ttir": `#loc = loc("${root}/ab/cab.py":18:0)`,
  [`gw/cgw${"a".repeat(49)}.py`]: `# kernel path: ${root}/ab/cab.py`,
  "gw/check.so": Buffer.from(`\x7fELF\0${root}/gw/main.cpp\0`, "latin1"),
});

/** A bench whose local directory holds some files, saved, and another directory to load them into. */
async function benchOf(t: TestContext, files: (root: string) => Record<string, string | Buffer>) {
  const bench = await createFlowBench(t);
  write(bench.localDir, files(bench.localDir));
  assert.equal((await bench.save()).status, "SUCCESS");
  return { bench, elsewhere: join(bench.dir, "elsewhere-and-longer") };
}

const { signal } = new AbortController();
const saved = {
  namespace,
  environment,
  environmentKey: environmentKey(environment),
  cacheKey,
  profile: { include: [], exclude: [] },
  policy: "REPLACE",
} as const;

/** Requires that a load into another directory is refused in words, and changes nothing. */
async function assertTied(bench: FlowBench, elsewhere: string, file: string): Promise<void> {
  const beside = readdirSync(bench.dir).sort();
  const stored = bench.storeFiles();
  await assert.rejects(bench.load({ into: elsewhere }), ({ reason, code, message }: never) => {
    assert.equal(reason, "ARCHIVE_UNSUPPORTED");
    assert.equal(code, "FAILED_PRECONDITION");
    for (const word of [file, bench.localDir, elsewhere])
      assert.ok((message as string).includes(word), message);
    return true;
  });
  assert.deepEqual(readdirSync(bench.dir).sort(), beside);
  assert.deepEqual(bench.storeFiles(), stored);
  rmSync(bench.localDir, { recursive: true });
  assert.equal((await bench.load()).status, "SUCCESS");
}

describe("files that name the directory that they were saved from", () => {
  it("are rewritten where vLLM lists its graphs, and the rest of its cache stays as it is", async (t) => {
    const all = (root: string) => ({ [listing]: listingAt(root), ...harmlessAt(root) });
    const { bench, elsewhere } = await benchOf(t, all);
    await bench.load({ into: elsewhere });
    const wanted = join(bench.dir, "wanted");
    write(wanted, { ...harmlessAt(bench.localDir), [listing]: listingAt(elsewhere) });
    assert.deepEqual(contents(elsewhere), contents(wanted));

    // Nothing of that is new.
    assert.equal((await bench.save({ policy: "REFRESH", from: elsewhere })).status, "SKIPPED");
    write(elsewhere, many("b", 9));
    assert.equal((await bench.save({ policy: "REFRESH", from: elsewhere })).cache?.fileCount, 16);
    rmSync(bench.localDir, { recursive: true });
    await bench.load();
    assert.equal(contents(bench.localDir)[listing], listingAt(bench.localDir));
  });

  const texts: Record<string, (root: string) => string> = {
    "as JSON": (root) => `{"a": "${root}/x", "b": ["${root}"], "c": "\\n${root}/y"}`,
    "as JSON with escaped slashes": (root) => `{"a": "${root.replaceAll("/", "\\/")}\\/x"}`,
    "as a URL": (root) => `file://${root}/x`,
    "as an encoded URL": (root) => `next=${encodeURIComponent(`${root}/x`)}&`,
    "as flags": (root) => `-I${root}/include -L${root} --dir=${root}/a PATH=/bin:${root}/b`,
    "beside names that only look like it": (root) =>
      `${root}/x ${root}-old/x ${root}.bak /mnt${root}/x ${root}2`,
  };
  for (const [how, textAt] of Object.entries(texts))
    it(`are rewritten if they are text, ${how}`, async (t) => {
      const { bench, elsewhere } = await benchOf(t, (root) => ({ "some/state": textAt(root) }));
      await bench.load({ into: elsewhere });
      const moved = contents(elsewhere)["some/state"];
      const others = (text: string) => text.replaceAll(/\S+(-old|\.bak|\d$)\S*|\/mnt\S+/g, "");
      assert.equal(others(moved ?? ""), others(textAt(elsewhere)));
      if (how.includes("look like")) {
        assert.equal(
          moved?.replace(`${elsewhere}/x`, `${bench.localDir}/x`),
          textAt(bench.localDir),
        );
      }
    });

  const digest = (text: string) => createHash("sha256").update(text).digest("hex");
  const tied: Record<string, (root: string) => [string, string | Buffer]> = {
    "a binary file": (root) => ["state.bin", Buffer.from(`\xff\0${root}/x\0`, "latin1")],
    "a pickle that holds the path alone": (root) => [
      "state.pkl",
      Buffer.from(`\x80\x02X${String.fromCharCode(root.length)}\0\0\0${root}q\0.`, "latin1"),
    ],
    "a library that opens a kernel": (root) => [
      "ab/k.so",
      Buffer.from(`\x7fELF\0${root}/k.cubin\0`),
    ],
    "a text that is named after its content": (root) => [
      `${digest(`${root}/x`)}.json`,
      `${root}/x`,
    ],
    "a text with lengths": (root) => ["state.ser", `a:1:{s:${root.length + 2}:"${root}/x";}`],
    "a file of several frames, where the path spans two": (root) => {
      const large = Buffer.alloc(40 * 1024 * 1024, "\xfe", "latin1");
      large.write(`\0${root}/x\0`, 16 * 1024 * 1024 - 16 * 1024 - 10);
      return ["large.bin", large];
    },
  };
  for (const [what, fileAt] of Object.entries(tied))
    it(`keep the cache from being loaded elsewhere: ${what}`, async (t) => {
      const files = (root: string) =>
        Object.fromEntries([fileAt(root), [listing, listingAt(root)]]);
      const { bench, elsewhere } = await benchOf(t, files);
      await assertTied(bench, elsewhere, fileAt(bench.localDir)[0]);
    });

  it("keep the cache from being loaded elsewhere where Python broke a path with a space", async (t) => {
    const bench = await createFlowBench(t);
    const root = join(bench.dir, "my cache");
    write(root, { [listing]: `{   'a': '${bench.dir}/my '\n         'cache/${hash}/x'}` });
    await bench.save({ from: root });
    const elsewhere = join(bench.dir, "elsewhere");
    await assert.rejects(bench.load({ into: elsewhere }), { reason: "ARCHIVE_UNSUPPORTED" });
    assert.ok(!existsSync(elsewhere));
  });

  it("keep a refresh from another directory, and leave what is stored", async (t) => {
    const tiedAt = (root: string) => ({ "state.bin": Buffer.from(`\0${root}/x\0`) });
    const { bench, elsewhere } = await benchOf(t, tiedAt);
    const before = readFileSync(bench.archivePath());
    write(elsewhere, { ...tiedAt(elsewhere), ...many("b", 9) });
    const refreshing = bench.save({ policy: "REFRESH", from: elsewhere });
    await assert.rejects(refreshing, { reason: "ARCHIVE_UNSUPPORTED", message: /state\.bin/ });
    assert.ok(readFileSync(bench.archivePath()).equals(before));
    await bench.save({ policy: "REPLACE", from: elsewhere });
    rmSync(elsewhere, { recursive: true });
    await bench.load({ into: elsewhere });
  });

  it("do not join what another directory stored", async (t) => {
    const { bench, elsewhere } = await benchOf(t, () => many("a", 9));
    write(elsewhere, { ...many("b", 9), "state.bin": Buffer.from(`\0${elsewhere}/x\0`) });
    const refreshing = bench.save({ policy: "REFRESH", from: elsewhere });
    await assert.rejects(refreshing, { reason: "ARCHIVE_UNSUPPORTED", message: /state\.bin/ });
    await bench.load({ into: join(bench.dir, "third") });
  });

  it("may name it by another path than its client, where a link leads to it", async (t) => {
    const bench = await createFlowBench(t);
    const real = join(bench.dir, "real");
    const link = join(bench.dir, "link");
    mkdirSync(real);
    symlinkSync(real, link);
    const allowed = createAllowedDirs([{ clientPath: link, daemonPath: link }]);
    for (const [client, named] of [
      [link, real],
      [real, link],
    ] as const) {
      write(real, { [listing]: listingAt(named), other: `${client}/x` });
      const flow = save(
        bench.context,
        { ...saved, localDir: allowed.resolve(client, "local_dir") },
        signal,
      );
      while (!(await flow.next()).done);
      const elsewhere = join(bench.dir, "elsewhere");
      await bench.load({ into: elsewhere });
      assert.deepEqual(contents(elsewhere), {
        [listing]: listingAt(elsewhere),
        other: `${elsewhere}/x`,
      });
      rmSync(elsewhere, { recursive: true });
    }
  });
});
