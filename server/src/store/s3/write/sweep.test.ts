import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../../../../../test/support/eventually.ts";
import {
  key,
  mebibyte,
  openScriptedStore,
  writeArchive,
} from "../../../../../test/support/s3/scripted-store.ts";

describe("uploads that were never completed", () => {
  it("are swept by a save once they are a day old", async (t) => {
    const { s3, store } = await openScriptedStore(t);
    const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000);
    const upload = (key: string, initiated: Date) => ({
      key,
      initiated,
      metadata: {},
      parts: new Map<number, Buffer>(),
    });
    s3.uploads.set("young", upload(key, hoursAgo(23)));
    s3.uploads.set("old", upload(key, hoursAgo(25)));
    s3.uploads.set("other", upload("pre/fixed/a", hoursAgo(25)));
    await writeArchive(store, mebibyte, 1, "create");
    await eventually("the sweep", () => s3.uploads.size === 2);
    assert.deepEqual([...s3.uploads.keys()], ["young", "other"]);
  });

  it("never make a save fail", async (t) => {
    const { s3, store } = await openScriptedStore(t);
    s3.script = ({ operation }) =>
      operation === "ListMultipartUploads" ? { error: [403, "AccessDenied"] } : undefined;
    assert.equal(await writeArchive(store, mebibyte, 1, "create"), "committed");
  });
});
