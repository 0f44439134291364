import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { key, openScriptedStore } from "../../../../test/support/s3/scripted-store.ts";

describe("the inventory of a bucket", () => {
  const hourAgo = new Date(Date.now() - 3_600_000);
  const upload = (key: string, ...parts: number[]) => ({
    key,
    initiated: hourAgo,
    metadata: {},
    parts: new Map(parts.map((length, at) => [at + 1, Buffer.alloc(length)])),
  });

  it("has uploads that were never completed, with what their parts take", async (t) => {
    const { s3, store } = await openScriptedStore(t);
    s3.uploads.set("ours", upload(key, 30, 12));
    s3.uploads.set("a probe's", upload("pre/fix/.probe-00ff", 16));
    s3.uploads.set("another's", upload("pre/fix/notes.txt", 5));
    const { files } = await store.inventory();
    assert.deepEqual(
      files.map(({ kind, bytes, uploadId }) => ({ kind, bytes, uploadId })),
      [
        { kind: "unfinished", bytes: 42, uploadId: "ours" },
        { kind: "unfinished", bytes: 16, uploadId: "a probe's" },
      ],
    );
    assert.ok(Math.abs((files[0]?.modifiedAt.getTime() ?? 0) - hourAgo.getTime()) < 1000);
    for (const file of files) assert.equal(await store.removeFile(file), true);
    assert.deepEqual([...s3.uploads.keys()], ["another's"]);
    // Another was faster.
    for (const file of files) assert.equal(await store.removeFile(file), false);
  });

  it("has all else where uploads may not be listed, and says so", async (t) => {
    const { s3, store, lines } = await openScriptedStore(t);
    s3.uploads.set("ours", upload(key, 30));
    s3.script = ({ operation }) =>
      operation === "ListMultipartUploads" ? { error: [403, "AccessDenied"] } : undefined;
    assert.deepEqual((await store.inventory()).files, []);
    assert.match(lines.at(-1)?.message ?? "", /could not list uploads that were never completed/);
  });
});
