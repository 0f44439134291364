import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { CacheError } from "../../../server/src/domain/cache-error.ts";
import type { ArchiveFormat } from "../../../server/src/domain/cache-id.ts";
import { createFlowBench } from "../../support/flow-bench.ts";
import { makeTree } from "../../support/trees/trees.ts";

/** Replaces an archive of one format by one of the other, in a store that removes nothing. */
async function replaceWhereNothingGoes(t: TestContext, from: ArchiveFormat, to: ArchiveFormat) {
  const bench = await createFlowBench(t);
  makeTree(bench.localDir, { "a.txt": "old" });
  await bench.save({ format: from });
  makeTree(bench.localDir, { "b.txt": "new" });
  Object.assign(bench.store, {
    remove: () => Promise.reject(new CacheError("STORE_UNAVAILABLE", "nothing goes")),
  });
  return { bench, saving: bench.save({ format: to, policy: "REPLACE" }) };
}

describe("a save whose archive's other format cannot be removed", () => {
  it("fails if loads prefer that format, because they would still get the old cache", async (t) => {
    const { saving } = await replaceWhereNothingGoes(t, "tar.zst", "tar.gz");
    await assert.rejects(saving, { reason: "STORE_UNAVAILABLE" });
  });

  it("succeeds if there is none", async (t) => {
    const { saving } = await replaceWhereNothingGoes(t, "tar.gz", "tar.gz");
    assert.equal((await saving).status, "SUCCESS");
  });

  it("succeeds with a warning if loads prefer the new format", async (t) => {
    const { bench, saving } = await replaceWhereNothingGoes(t, "tar.gz", "tar.zst");
    assert.equal((await saving).status, "SUCCESS");
    assert.match(bench.warnings.join(), /could not remove the archive in the other format/);
    assert.equal((await bench.load({ policy: "REPLACE" })).cache?.fileCount, 2);
  });
});
