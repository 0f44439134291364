import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ScriptedS3 } from "../../../../test/support/s3/scripted-s3.ts";
import {
  key,
  mebibyte,
  name,
  openScriptedStore,
  writeArchive,
} from "../../../../test/support/s3/scripted-store.ts";
import { versionOf } from "./calls/found-object.ts";

function put(s3: ScriptedS3, text: string) {
  const { body, etag } = s3.put(key, Buffer.from(text));
  return { body, version: versionOf({ etag, bytes: body.length, owner: undefined }) };
}

for (const conditions of ["kept", "ignored", "not understood"] as const)
  describe(`setting aside where conditions are ${conditions}`, () => {
    it("moves that very version to a hidden name", async (t) => {
      const { s3, store } = await openScriptedStore(t, conditions);
      const { body, version } = put(s3, "damaged");
      assert.equal(await store.setAside(name, version), true);
      const [, aside = ""] = s3.objects.keys();
      assert.match(aside, /^pre\/fix\/default\/\.cache_\w+\.latest\.tar\.zst\.\w{12}\.damaged$/);
      assert.ok(s3.objects.get(aside)?.body.equals(body));
      assert.deepEqual(await store.list(undefined), []);
      assert.equal(await store.setAside(name, version), false);
      assert.equal(await store.remove(name), false);
      await store.setAside(name, put(s3, "damaged").version);
      assert.equal(await store.open(name), undefined);
      assert.equal(await writeArchive(store, mebibyte, 1, "create"), "committed");
      assert.equal(await writeArchive(store, mebibyte, 2, "create"), "exists");
    });

    it("leaves a good one that replaced it before", async (t) => {
      const { s3, store } = await openScriptedStore(t, conditions);
      const { version } = put(s3, "damaged");
      s3.put(key, Buffer.from("good"));
      assert.equal(await store.setAside(name, version), false);
      assert.deepEqual([...s3.objects.keys()], [key]);
    });

    it("leaves a good one that replaced it meanwhile", async (t) => {
      const { s3, store } = await openScriptedStore(t, conditions);
      const { version } = put(s3, "damaged");
      let looks = 0;
      s3.script = ({ operation }) => {
        // Where conditions are ignored it is looked at last, else they come with the last call.
        if (operation === "HeadObject") looks += 1;
        if (conditions === "kept" ? operation === "PutObject" : looks === 3)
          s3.put(key, Buffer.from("good"));
        return undefined;
      };
      assert.equal(await store.setAside(name, version), false);
      assert.equal(s3.objects.get(key)?.body.toString(), "good");
    });
  });
