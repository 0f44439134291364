import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { ends } from "../../../../test/support/eventually.ts";
import {
  archiveName,
  contentOf,
  freshStore,
  probedStore,
  put,
} from "../../../../test/support/file-store.ts";
import { hanging, injectCloseFault, injectFileFault } from "../contract/faults.ts";

describe("the file store on a mount that hangs", () => {
  it("gives up after its time-out, and goes on with other calls", async (t) => {
    const { store } = await freshStore(t);
    await put(store, "first");
    const reader = await store.open(archiveName);
    const restore = await injectFileFault(t, "read", hanging);
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const read = assert.rejects(reader?.read(0, 1) ?? Promise.resolve(), {
      reason: "STORE_UNAVAILABLE",
      message: /did not answer within 30 s/,
    });
    assert.deepEqual(await store.list(undefined), [archiveName]);
    t.mock.timers.tick(30_000);
    await read;
    restore();
    assert.equal(await contentOf(store), "first");
    await reader?.[Symbol.asyncDispose]();
  });

  it("lets go of a hung read at once when its caller goes away", async (t) => {
    const { store } = await freshStore(t);
    await put(store, "first");
    const reader = await store.open(archiveName);
    await injectFileFault(t, "read", hanging);
    const caller = new AbortController();
    const read = assert.rejects(reader?.read(0, 1, caller.signal) ?? Promise.resolve(), /gone/);
    caller.abort(new Error("gone"));
    await read;
    await reader?.[Symbol.asyncDispose]();
  });

  it("lets its writer give up while a write hangs", async (t) => {
    const { store, folder } = await probedStore(t);
    // An open file is closed only after what is under way with it.
    injectCloseFault(t, hanging);
    const writer = await store.create(archiveName);
    await injectFileFault(t, "write", hanging);
    const caller = new AbortController();
    const write = assert.rejects(writer.write(Buffer.from("x"), caller.signal), /gone/);
    caller.abort(new Error("gone"));
    await write;
    await ends("the writer that gives up", writer.abort());
    assert.deepEqual(readdirSync(folder), []);
  });

  it("commits nothing that it cannot close, and lets its caller go", async (t) => {
    const { store, folder } = await probedStore(t);
    injectCloseFault(t, hanging);
    const writer = await store.create(archiveName);
    await writer.write(Buffer.from("x"));
    const caller = new AbortController();
    const commit = assert.rejects(writer.commit("create", caller.signal), /gone/);
    caller.abort(new Error("gone"));
    await commit;
    await ends("the writer that gives up", writer.abort());
    assert.deepEqual(readdirSync(folder), []);
  });
});
