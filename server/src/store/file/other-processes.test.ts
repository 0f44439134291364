import assert from "node:assert/strict";
import { type BigIntStats, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { archiveName, contentOf, freshStore, put } from "../../../../test/support/file-store.ts";
import { assertNothingOpen } from "../../../../test/support/refusal.ts";
import { failing, injectFault, injectFileFault, systemError } from "../contract/faults.ts";
import { ArchiveReplaced, type Store } from "../store.ts";

const visible = (folder: string) =>
  readdirSync(folder).filter((entry) => !entry.endsWith(".damaged"));

describe("the file store that others use meanwhile", () => {
  const versionIn = async (store: Store) => {
    const reader = await store.open(archiveName);
    await reader?.[Symbol.asyncDispose]();
    return reader?.version ?? "";
  };

  /** Makes something happen after the next link, before its caller knows of it. */
  function afterNextLink(t: TestContext, happens: () => Promise<unknown>): void {
    let done = false;
    injectFault(t, "link", async (real) => {
      const result = await real();
      if (!done) {
        done = true;
        await happens();
      }
      return result;
    });
  }

  it("has committed although another has replaced that already", async (t) => {
    const { store, folder } = await freshStore(t);
    await put(store, "first");
    afterNextLink(t, async () => put(store, "third", { replaces: await versionIn(store) }));
    assert.equal(await put(store, "second", { replaces: await versionIn(store) }), "committed");
    assert.equal(await contentOf(store), "third");
    assert.deepEqual(
      visible(folder).filter((entry) => entry.endsWith(".partial")),
      [],
    );
  });

  it("has not committed if it was stopped until its number had been swept", async (t) => {
    const { store, folder } = await freshStore(t);
    await put(store, "first");
    const generations = join(folder, `.${archiveName.filename}.generations`);
    const late = { replaces: await versionIn(store) };
    injectFault(t, "lstat", async (real, [path]) => {
      const stat = (await real()) as BigIntStats;
      if (String(path).endsWith("00000001")) stat.ctimeMs += 7_200_000n;
      return stat;
    });
    let stopped = false;
    injectFault(t, "link", async (real) => {
      if (!stopped) {
        stopped = true;
        await put(store, "second", late);
        await put(store, "third", { replaces: await versionIn(store) });
        rmSync(join(generations, "00000001"));
      }
      return real();
    });
    assert.equal(await put(store, "late", late), "exists");
    assert.equal(await contentOf(store), "third");
    assert.deepEqual(readdirSync(generations), ["00000002"]);
  });

  it("removes numbers that were taken over an hour before the last", async (t) => {
    const { store, folder } = await freshStore(t);
    const generations = join(folder, `.${archiveName.filename}.generations`);
    await put(store, "first");
    for (const content of ["second", "third", "fourth"])
      await put(store, content, { replaces: await versionIn(store) });
    assert.deepEqual(readdirSync(generations), ["00000001", "00000002", "00000003"]);
    const agesMs: Record<string, bigint> = { "00000001": 3_660_000n, "00000002": 3_540_000n };
    injectFault(t, "lstat", async (real, [path]) => {
      const age = agesMs[basename(String(path))];
      const stat = (await real()) as BigIntStats;
      if (age !== undefined) stat.ctimeMs -= age;
      return stat;
    });
    await put(store, "fifth", { replaces: await versionIn(store) });
    assert.deepEqual(readdirSync(generations), ["00000002", "00000003", "00000004"]);
    assert.equal(await contentOf(store), "fifth");
  });

  for (const code of ["ETXTBSY", "EBUSY"])
    it(`waits until the name is free that others of this machine rename to (${code})`, async (t) => {
      const { store, folder } = await freshStore(t);
      await put(store, "first");
      let times = 0;
      injectFault(t, "rename", async (real) => {
        if (++times % 3 !== 0) throw systemError(code);
        return real();
      });
      assert.equal(await put(store, "second", "replace"), "committed");
      assert.equal(await contentOf(store), "second");
      assert.equal(await put(store, "third", { replaces: await versionIn(store) }), "committed");
      assert.equal(await contentOf(store), "third");
      assert.equal(times, 6);
      assert.deepEqual(visible(folder), [
        `.${archiveName.filename}.generations`,
        archiveName.filename,
      ]);
    });

  it("has committed a refresh once its number is taken, even if the rename fails", async (t) => {
    const { store } = await freshStore(t);
    await put(store, "first");
    const restore = injectFault(t, "rename", failing("EIO"));
    assert.equal(await put(store, "second", { replaces: await versionIn(store) }), "committed");
    assert.equal(await contentOf(store), "second");
    restore();
    assert.equal(await put(store, "third", { replaces: await versionIn(store) }), "committed");
    assert.equal(await contentOf(store), "third");
  });

  for (const [call, code, errno] of [
    ["lstat", "ESTALE", -116],
    ["readdir", "ESTALE", -116],
    ["lstat", "EIO", -5],
  ] as const)
    it(`looks again when NFS says ${code} of what others replace (${call})`, async (t) => {
      const { store } = await freshStore(t);
      await put(store, "first");
      // Only where an archive was replaced is there a folder to list.
      const last = call === "readdir" ? "second" : "first";
      if (last === "second") await put(store, last, { replaces: await versionIn(store) });
      let times = 0;
      injectFault(t, call, async (real, [path]) => {
        if (/\.latest|\/fd\//.test(String(path)) && ++times % 3 !== 0)
          throw systemError(code, errno);
        return real();
      });
      assert.equal(await contentOf(store), last);
      assert.ok(times > 1);
    });

  it("opens again when NFS says that what it opened was replaced", async (t) => {
    const { store, folder } = await freshStore(t);
    await put(store, "first");
    let times = 0;
    await injectFileFault(t, "stat", async (real) => {
      if (++times < 3) throw systemError("ESTALE", -116);
      return real();
    });
    assert.equal(await contentOf(store), "first");
    await assertNothingOpen(folder);
  });

  it("throws ArchiveReplaced when NFS says that what is read is gone", async (t) => {
    const { store } = await freshStore(t);
    await put(store, "first");
    const reader = await store.open(archiveName);
    const restore = await injectFileFault(t, "read", () =>
      Promise.reject(systemError("ESTALE", -116)),
    );
    await assert.rejects(
      async () => reader?.read(0, 1),
      (error) => {
        assert.ok(error instanceof ArchiveReplaced);
        assert.equal(error.reason, "STORE_UNAVAILABLE");
        assert.match(error.message, /was replaced or removed while it was read/);
        return true;
      },
    );
    restore();
    await reader?.[Symbol.asyncDispose]();
  });

  it("does not take a stale handle in a write for an archive that was replaced", async (t) => {
    const { store } = await freshStore(t);
    await injectFileFault(t, "write", () => Promise.reject(systemError("ESTALE", -116)));
    await assert.rejects(put(store, "first"), (error) => {
      assert.ok(!(error instanceof ArchiveReplaced));
      assert.equal((error as { reason?: string }).reason, "STORE_UNAVAILABLE");
      return true;
    });
  });
});
