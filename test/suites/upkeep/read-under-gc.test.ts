import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { openFileStore } from "../../support/file-store.ts";
import { scratchDir } from "../../support/flow-bench.ts";
import { readUnderGc } from "../../support/upkeep/read-under-gc.ts";

it("whoever reads an archive in a directory that is collected has it whole, or not, in 10,000 tries", async (t) => {
  const root = join(scratchDir(t), "store");
  mkdirSync(root);
  const found = await readUnderGc(() => openFileStore(root), 10_000);
  t.diagnostic(JSON.stringify(found));
  assert.ok(found.whole > 0 && found.removed > 0);
});
