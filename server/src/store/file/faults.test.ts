import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import {
  archiveName,
  contentOf,
  freshStore,
  probedStore,
  put,
} from "../../../../test/support/file-store.ts";
import { cannotMount, mountTmpfs } from "../../../../test/support/machine/mounts.ts";
import { assertNothingOpen } from "../../../../test/support/refusal.ts";
import {
  failing,
  failingAfterwards,
  injectCloseFault,
  injectFault,
  injectFileFault,
} from "../contract/faults.ts";

const visible = (folder: string) =>
  readdirSync(folder).filter((entry) => !entry.endsWith(".damaged"));

describe("the file store whose answers get lost", () => {
  for (const code of ["EIO", "EEXIST", "ETIMEDOUT"]) {
    it(`believes the link that it finds, not the error (${code})`, async (t) => {
      const { store, folder } = await freshStore(t);
      injectFault(t, "link", failingAfterwards(code));
      assert.equal(await put(store, "first"), "committed");
      assert.equal(await put(store, "second"), "exists");
      assert.equal(await contentOf(store), "first");
      assert.deepEqual(visible(folder), [archiveName.filename]);
    });

    it(`believes the renamed file that it finds (${code})`, async (t) => {
      const { store, folder } = await freshStore(t);
      await put(store, "first");
      injectFault(t, "rename", failingAfterwards(code));
      assert.equal(await put(store, "second", "replace"), "committed");
      assert.equal(await contentOf(store), "second");
      assert.deepEqual(visible(folder), [archiveName.filename]);
    });
  }

  it("has committed although the hidden name could not be removed", async (t) => {
    const { store } = await freshStore(t);
    for (const call of ["unlink", "rm"]) injectFault(t, call, failing("EIO"));
    assert.equal(await put(store, "first"), "committed");
    assert.equal(await put(store, "second"), "exists");
    assert.equal(await contentOf(store), "first");
  });
});

describe("the file store on a file system that fails", () => {
  const failures: [string, (t: TestContext) => unknown, string][] = [
    ["to link", (t) => injectFault(t, "link", failing("EIO")), "STORE_UNAVAILABLE"],
    [
      "to close the file",
      (t) => injectCloseFault(t, failingAfterwards("EIO")),
      "STORE_UNAVAILABLE",
    ],
    [
      "to make the file durable",
      (t) => injectFileFault(t, "sync", failing("EIO")),
      "STORE_UNAVAILABLE",
    ],
    [
      "to find room when it makes the file durable",
      (t) => injectFileFault(t, "sync", failing("ENOSPC")),
      "INSUFFICIENT_SPACE",
    ],
    ["to write", (t) => injectFileFault(t, "write", failing("EIO")), "STORE_UNAVAILABLE"],
    [
      "to find room when it writes",
      (t) => injectFileFault(t, "write", failing("ENOSPC")),
      "INSUFFICIENT_SPACE",
    ],
  ];
  for (const [what, inject, reason] of failures)
    it(`${what}: says so, and nothing is left`, async (t) => {
      const { store, folder } = await probedStore(t);
      await inject(t);
      await assert.rejects(put(store, "first"), { reason });
      assert.deepEqual(readdirSync(folder), []);
      await assertNothingOpen(folder);
    });

  it("to rename: says so, and the old archive stays", async (t) => {
    const { store, folder } = await freshStore(t);
    await put(store, "first");
    injectFault(t, "rename", failing("EIO"));
    await assert.rejects(put(store, "second", "replace"), { reason: "STORE_UNAVAILABLE" });
    assert.equal(await contentOf(store), "first");
    assert.deepEqual(visible(folder), [archiveName.filename]);
  });

  it("with a quota error that has no name: INSUFFICIENT_SPACE", async (t) => {
    const { store } = await freshStore(t);
    const edquot = Object.assign(new Error("Unknown system error -122"), { errno: -122 });
    await injectFileFault(t, "write", () => Promise.reject(edquot));
    await assert.rejects(put(store, "first"), { reason: "INSUFFICIENT_SPACE" });
  });

  it("to write or read more than a little at once: the archive is whole", async (t) => {
    const { store } = await freshStore(t);
    const least = (real: () => Promise<unknown>, args: readonly unknown[]) => {
      (args as unknown[])[2] = Math.min(args[2] as number, 7);
      return real();
    };
    await injectFileFault(t, "write", least);
    await injectFileFault(t, "read", least);
    await put(store, "abcdefghijklmnopqrstuvwxyz");
    assert.equal(await contentOf(store), "abcdefghijklmnopqrstuvwxyz");
  });

  it("to stat an open file: leaves it closed", async (t) => {
    const { store, folder } = await freshStore(t);
    await put(store, "first");
    await injectFileFault(t, "stat", failing("EIO"));
    await assert.rejects(store.open(archiveName), { reason: "STORE_UNAVAILABLE" });
    await assert.rejects(store.create(archiveName), { reason: "STORE_UNAVAILABLE" });
    await assertNothingOpen(folder);
  });
});

describe("the file store on a full file system", () => {
  it("says INSUFFICIENT_SPACE, and gives the space back", { skip: cannotMount }, async (t) => {
    const root = mountTmpfs(t, "size=2m");
    const { store, folder } = await freshStore(t, root);
    await put(store, "first");
    const before = await store.freeBytes();
    await assert.rejects(put(store, Buffer.alloc(4 << 20), "replace"), {
      reason: "INSUFFICIENT_SPACE",
    });
    assert.deepEqual(visible(folder), [archiveName.filename]);
    await assertNothingOpen(root);
    assert.equal(await store.freeBytes(), before);
    assert.equal(await contentOf(store), "first");
  });

  it("says INSUFFICIENT_SPACE when it is out of inodes", { skip: cannotMount }, async (t) => {
    const { store } = await freshStore(t, mountTmpfs(t, "size=2m,nr_inodes=2"));
    await assert.rejects(put(store, "first"), { reason: "INSUFFICIENT_SPACE" });
  });
});
