import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { lacksTools, leavesOut } from "../../support/machine/tools.ts";
import { objectServerForSuite, openStoreOn } from "../../support/s3/object-server.ts";
import { readUnderGc } from "../../support/upkeep/read-under-gc.ts";

const tries = Number(process.env.GC_TRIES ?? 1_000);

for (const { name, skip = false } of [
  { name: "versitygw", skip: lacksTools("versitygw") },
  { name: "minio", skip: leavesOut("minio") },
] as const)
  describe(`a bucket on ${name} that is collected`, { skip }, () => {
    const server = objectServerForSuite(name);
    it("lets whoever reads an archive have it whole, or not", async (t) => {
      const found = await readUnderGc(() => openStoreOn(server(), "gc"), tries);
      t.diagnostic(JSON.stringify(found));
      assert.ok(found.whole > 0 && found.removed > 0);
    });
  });
