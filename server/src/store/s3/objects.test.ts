import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../../../../test/support/eventually.ts";
import {
  key,
  mebibyte,
  name,
  openScriptedStore,
  writeArchive,
} from "../../../../test/support/s3/scripted-store.ts";

const filenameOf = (n: number) => `cache_${n.toString(16).padStart(12, "0")}.latest.tar.zst`;

describe("the store's list", () => {
  it("has the archives by namespace, then file name, and nothing else", async (t) => {
    const { s3, store } = await openScriptedStore(t);
    for (const path of [
      `b/${filenameOf(2)}`,
      `b/${filenameOf(1)}`,
      // In the order of keys, "b-c/" stands before "b/".
      `b-c/${filenameOf(3)}`,
      `b/.${filenameOf(4)}.0123456789ab.damaged`,
      `b/${filenameOf(5)}.part`,
      `b/deeper/${filenameOf(6)}`,
      `.hidden/${filenameOf(7)}`,
      filenameOf(8),
    ])
      s3.put(`pre/fix/${path}`, Buffer.from(path));
    s3.put(`pre/fixed/b/${filenameOf(9)}`, Buffer.alloc(1));
    s3.put(`pre/fix/b/${filenameOf(10)}`, Buffer.alloc(0));
    const of = (namespace: string, n: number) => ({ namespace, filename: filenameOf(n) });
    assert.deepEqual(await store.list(undefined), [of("b", 1), of("b", 2), of("b-c", 3)]);
    assert.deepEqual(await store.list("b"), [of("b", 1), of("b", 2)]);
    assert.deepEqual(await store.list("absent"), []);
  });

  it("takes a request for each thousand", async (t) => {
    const { s3, store, operations } = await openScriptedStore(t);
    for (let n = 0; n < 2500; n++) s3.put(`pre/fix/default/${filenameOf(n)}`, Buffer.alloc(1));
    const before = operations().length;
    const names = await store.list(undefined);
    assert.equal(names.length, 2500);
    assert.equal(names[2499]?.filename, filenameOf(2499));
    assert.deepEqual(operations().slice(before), Array(3).fill("ListObjectsV2"));
  });
});

it("a removal tells whether there was anything", async (t) => {
  const { s3, store } = await openScriptedStore(t);
  s3.put(key, Buffer.alloc(10));
  assert.equal(await store.remove(name), true);
  assert.equal(s3.objects.size, 0);
  assert.equal(await store.remove(name), false);
});

for (const conditions of ["kept", "ignored", "not understood"] as const)
  describe(`setting aside where conditions are ${conditions}`, () => {
    it("moves that very version to a name that nobody reads", async (t) => {
      const { s3, store } = await openScriptedStore(t, conditions);
      const { body, etag } = s3.put(key, Buffer.from("damaged"));
      assert.equal(await store.setAside(name, etag), true);
      const [, aside = ""] = s3.objects.keys();
      assert.match(aside, /^pre\/fix\/default\/\.cache_\w+\.latest\.tar\.zst\.\w{12}\.damaged$/);
      assert.ok(s3.objects.get(aside)?.body.equals(body));
      assert.deepEqual(await store.list(undefined), []);
      assert.equal(await store.setAside(name, etag), false);
      assert.equal(await store.remove(name), false);
      await store.setAside(name, s3.put(key, Buffer.from("damaged")).etag);
      assert.equal(await store.open(name), undefined);
      assert.equal(await writeArchive(store, mebibyte, 1, "create"), "committed");
      assert.equal(await writeArchive(store, mebibyte, 2, "create"), "exists");
    });

    it("leaves a good one that replaced it before", async (t) => {
      const { s3, store } = await openScriptedStore(t, conditions);
      const { etag } = s3.put(key, Buffer.from("damaged"));
      s3.put(key, Buffer.from("good"));
      assert.equal(await store.setAside(name, etag), false);
      assert.deepEqual([...s3.objects.keys()], [key]);
    });

    it("leaves a good one that replaced it meanwhile", async (t) => {
      const { s3, store } = await openScriptedStore(t, conditions);
      const { etag } = s3.put(key, Buffer.from("damaged"));
      let looks = 0;
      s3.script = ({ operation }) => {
        // Where conditions are ignored it is looked at last, else they come with the last call.
        if (operation === "HeadObject") looks += 1;
        if (conditions === "kept" ? operation === "PutObject" : looks === 2)
          s3.put(key, Buffer.from("good"));
        return undefined;
      };
      assert.equal(await store.setAside(name, etag), false);
      assert.equal(s3.objects.get(key)?.body.toString(), "good");
    });
  });

describe("uploads that nobody completed", () => {
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

  it("never keep a save from its work", async (t) => {
    const { s3, store } = await openScriptedStore(t);
    s3.script = ({ operation }) =>
      operation === "ListMultipartUploads" ? { error: [403, "AccessDenied"] } : undefined;
    assert.equal(await writeArchive(store, mebibyte, 1, "create"), "committed");
  });
});
