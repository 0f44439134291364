import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { runsAll } from "../../../../test/support/machine/tools.ts";
import type { Fault } from "../../../../test/support/s3/scripted-s3.ts";
import {
  failsWith,
  key,
  mebibyte,
  name,
  once,
  openScriptedStore,
} from "../../../../test/support/s3/scripted-store.ts";
import { ArchiveReplaced } from "../store.ts";

const slow = runsAll ? false : "takes long; npm run test:stores runs it";

describe("an archive's reader", { concurrency: true }, () => {
  it("takes one request for the end of the archive", async (t) => {
    const { s3, store, operations } = await openScriptedStore(t);
    const { body, etag } = s3.put(key, randomBytes(mebibyte));
    const before = operations().length;
    const reader = await store.open(name);
    assert.equal(reader?.bytes, mebibyte);
    assert.equal(reader?.version, `${etag} ${mebibyte}`);
    const tail = await reader?.read(mebibyte - 100_000, 200_000);
    assert.ok(tail?.equals(body.subarray(-100_000)));
    assert.equal(tail?.buffer.byteLength, 100_000, "the memory is shared with others");
    assert.deepEqual(operations().slice(before), ["GetObject"]);
  });

  it("takes an empty object for no archive, and reads one that is shorter than its end may be", async (t) => {
    const { s3, store } = await openScriptedStore(t);
    s3.put(key, Buffer.alloc(0));
    for (s3.rangeOfNothing of [416, 200, 206] as const)
      assert.equal(await store.open(name), undefined, String(s3.rangeOfNothing));
    const { body } = s3.put(key, randomBytes(1000));
    assert.ok((await (await store.open(name))?.read(10, 2000))?.equals(body.subarray(10)));
  });

  for (const [what, fault] of [
    ["breaks off", { bodyBytes: 300_000, end: "reset" }],
    ["stops coming", { bodyBytes: 300_000, end: "silence" }],
    ["is lost", { lost: "answer" }],
    ["is a refusal for a moment", { error: [503, "SlowDown"] }],
  ] as [string, Fault][])
    it(`goes on where an answer ${what}`, { skip: what === "stops coming" && slow }, async (t) => {
      const { s3, store } = await openScriptedStore(t);
      const { body } = s3.put(key, randomBytes(mebibyte));
      const reader = await store.open(name);
      s3.script = once("GetObject", fault);
      assert.ok((await reader?.read(1000, 700_000))?.equals(body.subarray(1000, 701_000)));
      const ranges = s3.calls.filter(({ operation }) => operation === "GetObject").slice(1);
      const resumed = "bodyBytes" in fault ? "bytes=301000-700999" : "bytes=1000-700999";
      assert.deepEqual(
        ranges.map(({ headers }) => headers.range),
        ["bytes=1000-700999", resumed],
      );
    });

  it("goes on where the first answer breaks off", async (t) => {
    const { s3, store } = await openScriptedStore(t);
    const { body } = s3.put(key, randomBytes(mebibyte));
    s3.script = once("GetObject", { bodyBytes: 1000, end: "reset" });
    const reader = await store.open(name);
    assert.ok((await reader?.read(mebibyte - 1000, 1000))?.equals(body.subarray(-1000)));
  });

  it("is opened though the store is too busy for a while", { skip: slow }, async (t) => {
    const { s3, store } = await openScriptedStore(t);
    s3.put(key, randomBytes(mebibyte));
    let refusals = 0;
    s3.script = ({ operation }) =>
      operation === "GetObject" && ++refusals <= 7 ? { error: [503, "SlowDown"] } : undefined;
    assert.equal((await store.open(name))?.bytes, mebibyte);
    assert.equal(refusals, 8);
  });

  for (const what of ["replaced", "removed"])
    it(`throws ArchiveReplaced once its object was ${what}`, async (t) => {
      const { s3, store } = await openScriptedStore(t);
      s3.put(key, randomBytes(mebibyte));
      const reader = await store.open(name);
      if (what === "replaced") s3.put(key, randomBytes(mebibyte));
      else s3.objects.delete(key);
      await assert.rejects(
        async () => reader?.read(0, 1000),
        (error) => {
          assert.ok(error instanceof ArchiveReplaced);
          return failsWith("STORE_UNAVAILABLE", /was replaced or removed while it was read/)(error);
        },
      );
    });

  it("throws ArchiveReplaced where a server looks at the range first, and the new object is shorter", async (t) => {
    const { s3, store } = await openScriptedStore(t);
    s3.put(key, randomBytes(mebibyte));
    const reader = await store.open(name);
    s3.script = once("GetObject", { error: [416, "InvalidRange"] });
    await assert.rejects(
      async () => reader?.read(500_000, 1000),
      (error) => error instanceof ArchiveReplaced,
    );
  });

  it("gives up when no byte has come for 15 s", { skip: slow }, async (t) => {
    const { s3, store } = await openScriptedStore(t);
    s3.put(key, randomBytes(mebibyte));
    const reader = await store.open(name);
    s3.script = ({ operation }) =>
      operation === "GetObject" ? { bodyBytes: 0, end: "silence" } : undefined;
    await assert.rejects(
      async () => reader?.read(0, 1000),
      failsWith("STORE_UNAVAILABLE", /did not answer within 15 s/),
    );
  });

  it("stops at once when it is cancelled", async (t) => {
    const { s3, store } = await openScriptedStore(t);
    s3.put(key, randomBytes(mebibyte));
    const reader = await store.open(name);
    const reason = new Error("cancelled");
    for (const call of [
      (signal: AbortSignal) => reader?.read(0, 1000, signal),
      (signal: AbortSignal) => store.open(name, signal),
      (signal: AbortSignal) => store.list(undefined, signal),
    ]) {
      const cancel = new AbortController();
      s3.script = () => {
        cancel.abort(reason);
        return { bodyBytes: 10, end: "silence" };
      };
      const before = s3.calls.length;
      await assert.rejects(async () => call(cancel.signal), reason);
      assert.equal(s3.calls.length, before + 1, "it tried again");
    }
  });
});
