import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Fault } from "../../../../../test/support/s3/scripted-s3.ts";
import {
  failsWith,
  key,
  mebibyte,
  name,
  once,
  openScriptedStore,
  writeArchive,
} from "../../../../../test/support/s3/scripted-store.ts";

for (const [kind, bytes, operation] of [
  ["one request", mebibyte, "PutObject"],
  ["parts", 7 * mebibyte, "CompleteMultipartUpload"],
] as const)
  describe(`a commit in ${kind}`, () => {
    it("is invisible before, and whole afterwards", async (t) => {
      const { s3, store } = await openScriptedStore(t);
      const writer = await store.create(name);
      for (let n = 0; n < bytes / mebibyte; n++) await writer.write(Buffer.alloc(mebibyte, n));
      assert.equal(await store.open(name), undefined);
      assert.equal(await writer.commit("create"), "committed");
      await writer.abort();
      assert.equal(writer.bytesWritten, bytes);
      const reader = await store.open(name);
      assert.equal(reader?.bytes, bytes);
      const read = await reader?.read(0, bytes + 1);
      assert.equal(read?.length, bytes);
      for (let n = 0; n < bytes / mebibyte; n++) assert.equal(read?.[n * mebibyte], n);
      assert.equal(s3.uploads.size, 0);
    });

    it("is for the first only", async (t) => {
      const { s3, store } = await openScriptedStore(t);
      assert.equal(await writeArchive(store, bytes, 1, "create"), "committed");
      assert.equal(await writeArchive(store, bytes, 2, "create"), "exists");
      assert.equal(s3.objects.get(key)?.body[0], 1);
      assert.equal(await writeArchive(store, bytes, 3, "replace"), "committed");
      assert.equal(s3.objects.get(key)?.body[0], 3);
      assert.equal(s3.uploads.size, 0, "the loser's parts were left");
    });

    it("replaces only the version that was meant", async (t) => {
      const { s3, store } = await openScriptedStore(t);
      assert.equal(await writeArchive(store, bytes, 1, { replaces: '"none"' }), "exists");
      await writeArchive(store, bytes, 1, "create");
      const reader = await store.open(name);
      const mode = { replaces: reader?.version ?? "" };
      assert.equal(await writeArchive(store, bytes, 2, mode), "committed");
      assert.equal(await writeArchive(store, bytes, 3, mode), "exists");
      assert.equal(s3.objects.get(key)?.body[0], 2);
    });

    it("whose answer is lost is known by its owner", async (t) => {
      const { s3, store } = await openScriptedStore(t);
      s3.script = once(operation, { lost: "answer" });
      assert.equal(await writeArchive(store, bytes, 1, "create"), "committed");
      assert.ok(s3.objects.has(key));
    });

    it("that was lost, and came after another, is no commit", async (t) => {
      const { s3, store } = await openScriptedStore(t);
      s3.script = once(operation, { lost: "call" }, () => s3.put(key, Buffer.alloc(10, 9)));
      assert.equal(await writeArchive(store, bytes, 1, "create"), "exists");
      assert.equal(s3.objects.get(key)?.body[0], 9);
    });

    for (const policy of ["create", "replace that version"] as const)
      it(`(${policy}) whose repetition succeeded after another had replaced it is no error`, async (t) => {
        const { s3, store } = await openScriptedStore(t);
        if (policy !== "create") await writeArchive(store, bytes, 1, "create");
        const reader = await store.open(name);
        const faults: Fault[] = [{ lost: "answer" }, { pretends: true }];
        s3.script = (call) => {
          if (call.operation !== operation) return undefined;
          if (faults.length === 1) s3.put(key, Buffer.alloc(10, 9));
          return faults.shift();
        };
        const mode = reader ? { replaces: reader.version } : "create";
        assert.equal(await writeArchive(store, bytes, 2, mode), "exists");
        assert.equal(s3.objects.get(key)?.body[0], 9);
        assert.equal(faults.length, 0, "the call was not repeated");
      });

    it("is no commit where a repeated call got a success that cannot be seen", async (t) => {
      const { s3, store } = await openScriptedStore(t);
      await writeArchive(store, bytes, 1, "create");
      const faults: Fault[] = [{ lost: "call" }, { pretends: true }];
      s3.script = (call) => (call.operation === operation ? faults.shift() : undefined);
      await assert.rejects(
        writeArchive(store, bytes, 2, "replace"),
        failsWith("STORE_UNAVAILABLE", /that cannot be found there/),
      );
      assert.equal(s3.objects.get(key)?.body[0], 1);
      assert.equal(faults.length, 0, "the call was not repeated");
    });

    it("is one where a repeated call's success can be seen only later", async (t) => {
      const { s3, store } = await openScriptedStore(t);
      const faults: Fault[] = [{ lost: "call" }];
      let looks = 0;
      s3.script = (call) => {
        if (call.operation === operation) return faults.shift();
        return call.operation === "HeadObject" && ++looks <= 2
          ? { error: [404, "NotFound"] }
          : undefined;
      };
      assert.equal(await writeArchive(store, bytes, 1, "create"), "committed");
      assert.equal(looks, 3);
    });

    it("is tried again where a conflict left nothing there", async (t) => {
      const { s3, store } = await openScriptedStore(t);
      s3.script = once(operation, { error: [409, "ConditionalRequestConflict"] });
      assert.equal(await writeArchive(store, bytes, 1, "create"), "committed");
      s3.objects.clear();
      s3.script = once(operation, { error: [412, "PreconditionFailed"] });
      assert.equal(await writeArchive(store, bytes, 1, "create"), "committed");
    });

    it("looks first where the server ignores conditions, and warns", async (t) => {
      const { s3, store, lines } = await openScriptedStore(t, "ignored");
      assert.equal(lines[0]?.level, "warn");
      assert.match(lines[0]?.message ?? "", /ignores conditions/);
      assert.equal(store.note?.(), "ignores conditions: the last writer wins");
      assert.equal(await writeArchive(store, bytes, 1, "create"), "committed");
      assert.equal(await writeArchive(store, bytes, 2, "create"), "exists");
      assert.equal(await writeArchive(store, bytes, 2, { replaces: '"none"' }), "exists");
      assert.equal(s3.objects.get(key)?.body[0], 1);
    });

    it("does without conditions where the server refuses them", async (t) => {
      const { s3, store } = await openScriptedStore(t, "not understood");
      assert.equal(await writeArchive(store, bytes, 1, "create"), "committed");
      assert.equal(await writeArchive(store, bytes, 2, "create"), "exists");
      assert.equal(s3.objects.get(key)?.body[0], 1);
    });

    it("says that the store is full", async (t) => {
      const { s3, store } = await openScriptedStore(t);
      s3.script = once(operation, { error: [507, "InsufficientStorage"] });
      await assert.rejects(
        writeArchive(store, bytes, 1, "create"),
        failsWith("INSUFFICIENT_SPACE", /full/),
      );
      assert.equal(s3.uploads.size, 0);
    });
  });
