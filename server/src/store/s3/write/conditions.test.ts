import assert from "node:assert/strict";
import { it } from "node:test";
import { openScriptedStore } from "../../../../../test/support/s3/scripted-store.ts";

it("does not trust a server on which the winner of a race sweeps others' uploads away", async (t) => {
  const { store, lines } = await openScriptedStore(t, "kept", ({ operation, key }) =>
    operation === "CompleteMultipartUpload" && key.includes(".probe-")
      ? { error: [404, "NoSuchUpload"] }
      : undefined,
  );
  assert.match(lines[0]?.message ?? "", /ignores conditions/);
  assert.equal(store.note?.(), "ignores conditions: the last writer wins");
});

it("says when it could not find out, and tries again with the next commit", async (t) => {
  let broken = true;
  const { store, lines } = await openScriptedStore(t, "kept", ({ key }) =>
    broken && key.includes(".probe-") ? { error: [403, "AccessDenied"] } : undefined,
  );
  assert.match(lines[0]?.message ?? "", /could not find out/);
  assert.equal(store.note?.(), "not known yet whether it keeps to conditions");
  broken = false;
  const writer = await store.create({
    namespace: "default",
    filename: "cache_0123456789ab.latest.tar.zst",
  });
  await writer.write(Buffer.from("x"));
  assert.equal(await writer.commit("create"), "committed");
  assert.equal(store.note?.(), "keeps to conditions");
});
