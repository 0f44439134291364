import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  archiveName,
  contentOf,
  freshStore,
  put,
  temporaryDirectory,
} from "../../../../test/support/file-store.ts";
import { cannotMount, mount, mountTmpfs } from "../../../../test/support/machine/mounts.ts";
import { recordingLogger } from "../../../../test/support/recording-logger.ts";
import type { Store } from "../store.ts";
import { createFileStore } from "./store.ts";

/** Requires that each call fails as one on a store that is not there. */
async function assertUnavailable(store: Store, but: readonly string[] = []): Promise<void> {
  const calls: Record<string, () => Promise<unknown>> = {
    open: () => store.open(archiveName),
    create: () => store.create(archiveName),
    "list all": () => store.list(undefined),
    "list one": () => store.list(archiveName.namespace),
    remove: () => store.remove(archiveName),
    setAside: () => store.setAside(archiveName, "1-2-3-4"),
    freeBytes: () => store.freeBytes(),
  };
  for (const [call, run] of Object.entries(calls))
    if (!but.includes(call)) await assert.rejects(run, { reason: "STORE_UNAVAILABLE" }, call);
}

describe("the file store whose root is gone", () => {
  it("is unavailable, and makes nothing, when the directory was removed", async (t) => {
    const { store, root } = await freshStore(t);
    await put(store, "first");
    renameSync(root, `${root}-elsewhere`);
    await assertUnavailable(store);
    assert.ok(!existsSync(root));
    renameSync(`${root}-elsewhere`, root);
    assert.equal(await contentOf(store), "first");
  });

  it("is unavailable when it is a file, or a namespace is", async (t) => {
    const dir = temporaryDirectory(t);
    writeFileSync(join(dir, "file"), "");
    await assertUnavailable(await createFileStore(join(dir, "file"), recordingLogger([])));
    const { store, root } = await freshStore(t);
    writeFileSync(join(root, archiveName.namespace), "");
    await assert.rejects(store.create(archiveName), { reason: "STORE_UNAVAILABLE" });
  });

  it("starts without it, and never makes more than its last component", async (t) => {
    const dir = temporaryDirectory(t);
    const store = await createFileStore(join(dir, "not-there", "store"), recordingLogger([]));
    await assertUnavailable(store);
    assert.deepEqual(readdirSync(dir), []);
  });

  it("is unavailable when it was unmounted, and makes nothing beneath", {
    skip: cannotMount,
  }, async (t) => {
    const root = mountTmpfs(t, "size=1m");
    const store = await createFileStore(root, recordingLogger([]));
    await put(store, "first");
    execFileSync("umount", ["-l", root]);
    await assertUnavailable(store);
    assert.deepEqual(readdirSync(root), []);
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", root]);
    assert.equal(await put(store, "second"), "committed");
  });

  it("is unavailable when it was unmounted from another mount", {
    skip: cannotMount,
  }, async (t) => {
    const outer = mountTmpfs(t, "size=1m");
    const root = join(outer, "inner", "store");
    mkdirSync(join(outer, "inner"));
    mount(t, ["-t", "tmpfs", "tmpfs", join(outer, "inner")], join(outer, "inner"));
    const store = await createFileStore(root, recordingLogger([]));
    await put(store, "first");
    execFileSync("umount", ["-l", join(outer, "inner")]);
    await assertUnavailable(store);
    mkdirSync(root);
    await assertUnavailable(store);
    assert.deepEqual(readdirSync(root), []);
    execFileSync("mount", ["-t", "tmpfs", "tmpfs", join(outer, "inner")]);
    mkdirSync(root);
    assert.equal(await put(store, "second"), "committed");
  });

  it("is unavailable for writers, not for readers, when it is read-only", {
    skip: cannotMount,
  }, async (t) => {
    const root = mountTmpfs(t, "size=1m");
    const { store } = await freshStore(t, root);
    await put(store, "first");
    const reader = await store.open(archiveName);
    execFileSync("mount", ["-o", "remount,ro", root]);
    await assert.rejects(put(store, "second"), { reason: "STORE_UNAVAILABLE" });
    await assert.rejects(store.remove(archiveName), { reason: "STORE_UNAVAILABLE" });
    await assert.rejects(store.setAside(archiveName, reader?.version ?? ""), {
      reason: "STORE_UNAVAILABLE",
    });
    assert.equal(await contentOf(store), "first");
    assert.deepEqual(await store.list(undefined), [archiveName]);
    await reader?.[Symbol.asyncDispose]();
  });
});
