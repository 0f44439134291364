import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { recordingLogger } from "../../../../test/support/recording-logger.ts";
import { startScriptedS3 } from "../../../../test/support/s3/scripted-s3.ts";
import {
  credentials,
  key,
  name,
  openScriptedStore,
} from "../../../../test/support/s3/scripted-store.ts";
import { testStore } from "../contract/suite.ts";
import { createS3Store } from "./store.ts";

testStore("the S3 store on a server in memory", async (t) => {
  const { bucket, endpoint } = await startScriptedS3(t);
  const server = { endpoint, credentials };
  return {
    connect: async () =>
      createS3Store({ bucket, prefix: "prefix", logger: recordingLogger([]), server }),
  };
});

const filenameOf = (n: number) => `cache_${n.toString(16).padStart(12, "0")}.latest.tar.zst`;

describe("the store's list", () => {
  it("has the archives by namespace, then file name, and nothing else", async (t) => {
    const { s3, store } = await openScriptedStore(t);
    for (const path of [
      `b/${filenameOf(2)}`,
      `b/${filenameOf(1)}`,
      // In the order of keys, "b-c/" comes before "b/".
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

it("a removal says whether there was an archive", async (t) => {
  const { s3, store } = await openScriptedStore(t);
  s3.put(key, Buffer.alloc(10));
  assert.equal(await store.remove(name), true);
  assert.equal(s3.objects.size, 0);
  assert.equal(await store.remove(name), false);
});
