import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { openFileStore } from "../../../test/support/file-store.ts";
import { formatWork } from "../../../test/support/tar/format-work.ts";
import { Trust } from "../signing/trust.ts";
import { describeAll, findClosest, listCacheArchives } from "./stored-archives.ts";

const never = new AbortController().signal;
const filename = (n: number) => `cache_00000000000${n}.latest.tar.zst`;

/** A store with an archive that cannot be opened beside one that can, which is foreign. */
async function storeOf(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const store = await openFileStore(root);
  mkdirSync(join(root, "model", filename(1)), { recursive: true });
  writeFileSync(join(root, "model", filename(2)), "no archive of ours");
  const names = [1, 2].map((n) => ({ namespace: "model", filename: filename(n) }));
  return { store, names };
}

const trust = new Trust({});

describe("an archive that cannot be opened", () => {
  it("is described by its name among the others", async (t) => {
    const { store, names } = await storeOf(t);
    const described = await describeAll({ store, work: formatWork, trust }, names, never);
    assert.deepEqual(
      described.map(({ cacheKey, archiveBytes, createdAt }) => [
        cacheKey,
        archiveBytes,
        createdAt !== undefined,
      ]),
      [
        ["000000000001", 0, false],
        ["000000000002", 18, true],
      ],
    );
  });

  it("makes no miss of another cache an error", async (t) => {
    const { store, names } = await storeOf(t);
    store.list = async () => names;
    assert.equal((await listCacheArchives(store, "model", never)).length, 2);
    const environment = { torchVersion: "2.1.0", cudaVersion: "", computeCapability: "" };
    const asked = { ...environment, tritonVersion: "", extra: {} };
    assert.equal(
      await findClosest({ store, work: formatWork, trust }, "model", asked, never),
      undefined,
    );
  });
});
