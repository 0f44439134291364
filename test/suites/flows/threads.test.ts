import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createFlowBench } from "../../support/flow-bench.ts";
import { type FileSpec, makeTree, noise } from "../../support/trees/trees.ts";
import { watchThreads } from "../../support/watch-threads.ts";

const MiB = 1024 * 1024;

/** How many threads a save of these files takes, and then how many more a load does. */
async function threadsFor(t: TestContext, files: Record<string, FileSpec>) {
  const seen = watchThreads(t);
  const bench = await createFlowBench(t, { workerIdleMs: 60_000 });
  const original = join(bench.dir, "original");
  makeTree(original, files);
  assert.equal((await bench.save({ from: original })).status, "SUCCESS");
  const save = seen.started;
  assert.equal((await bench.load()).status, "SUCCESS");
  return { save, load: seen.started - save };
}

describe("threads of a save and a load", () => {
  it("are one for a small cache: another would start for longer than it worked", async (t) => {
    const files: Record<string, FileSpec> = { "kernel.cubin": noise(MiB) };
    for (let n = 0; n < 30; n++) files[`ab/${n}.py`] = `kernel ${n}`;
    assert.deepEqual(await threadsFor(t, files), { save: 1, load: 0 });
  });

  it("are all there are for a large one", async (t) => {
    const files = { "a.bin": noise(20 * MiB), "b.bin": noise(20 * MiB, 2) };
    assert.equal((await threadsFor(t, files)).save, 2);
  });
});
