import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { createFlowBench, suiteBench } from "../../support/flow-bench.ts";
import { loadMutated } from "../../support/fuzz/load-mutated.ts";
import { corpus } from "../../support/fuzz/mutated-archives.ts";
import { listTree } from "../../support/trees/trees.ts";

describe("archives that were changed at random", () => {
  const bench = suiteBench();

  it("are made of ones that load", async () => {
    assert.equal(corpus.size, 6);
    for (const [name, archive] of corpus) {
      writeFileSync(bench().archivePath(), archive);
      assert.equal((await bench().load()).status, "SUCCESS", name);
      assert.ok(listTree(bench().localDir).length > 1, name);
      rmSync(bench().localDir, { recursive: true });
      rmSync(bench().archivePath());
    }
  });

  it("load or are refused, whatever was changed: 150 of the 10,000 of test:crash", async (t) => {
    t.mock.method(Math, "random", () => 0);
    const { tries, loaded, refused } = await loadMutated(
      await createFlowBench(t, { workerIdleMs: 10_000 }),
      1,
      150,
    );
    assert.equal(tries, 150);
    assert.ok(loaded > 0 && refused > 50, `${loaded} loaded, ${refused} refused`);
  });
});
