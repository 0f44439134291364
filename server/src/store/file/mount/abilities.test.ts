import assert from "node:assert/strict";
import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  archiveName,
  contentOf,
  freshStore,
  lookIn,
  put,
} from "../../../../../test/support/file-store.ts";
import { recordingLogger } from "../../../../../test/support/recording-logger.ts";
import { assertNothingOpen } from "../../../../../test/support/refusal.ts";
import {
  failing,
  failingAfterwards,
  injectFault,
  injectFileFault,
  systemError,
} from "../../contract/faults.ts";
import { createFileStore } from "../store.ts";

const nothing = () => Promise.resolve();

describe("the file store on a file system without hard links", () => {
  it("tells archives of one size apart that are written in one tick of its clock", async (t) => {
    const { store, folder } = await freshStore(t);
    injectFault(t, "link", failing("EPERM"));
    // Its number says nothing there.
    const timed = async () => String((await lookIn(store)).version?.replace(/^\d+-/, ""));
    await put(store, "x");
    // Those that come next would be no younger.
    const ahead = Date.now() / 1000 + 60;
    utimesSync(join(folder, archiveName.filename), ahead, ahead);
    const versions = new Set([await timed()]);
    for (let n = 0; n < 2; n++) {
      await put(store, "x", "replace");
      versions.add(await timed());
    }
    const times = [...versions].map((version) => Number(version.split("-").at(-1)));
    assert.deepEqual(
      times.toSorted((a, b) => a - b),
      times,
    );
    assert.equal(versions.size, 3);
  });

  it("waits until it is told that a file was closed, where it renames none that is open", async (t) => {
    const { store } = await freshStore(t);
    injectFault(t, "link", failing("EPERM"));
    await put(store, "first");
    let refused = 0;
    injectFault(t, "rename", async (real, [, to]) => {
      if (String(to).endsWith(archiveName.filename) && refused++ < 3) throw systemError("EIO");
      return real();
    });
    assert.equal(await put(store, "second", "replace"), "committed");
    assert.equal(await contentOf(store), "second");
  });

  const lacks = [
    ...["EPERM", "ENOTSUP", "EMLINK", "EIO"].map((code) => [code, failing(code)] as const),
    ["a link that does nothing", nothing] as const,
  ];
  for (const [what, fault] of lacks)
    it(`commits all the same, only the first, and warns once (${what})`, async (t) => {
      const { store, folder, lines } = await freshStore(t);
      injectFault(t, "link", fault);
      assert.equal(store.note?.(), "");
      assert.equal(await put(store, "first"), "committed");
      assert.match(store.note?.() ?? "", /no hard links/);
      assert.equal(await put(store, "second"), "exists");
      const { content, version = "" } = await lookIn(store);
      assert.equal(content, "first");
      assert.equal(await put(store, "third", { replaces: version }), "committed");
      assert.equal(await put(store, "late", { replaces: version }), "exists");
      assert.equal((await lookIn(store)).content, "third");
      assert.equal(await put(store, "fourth", "replace"), "committed");
      assert.equal((await lookIn(store)).content, "fourth");
      assert.deepEqual(readdirSync(folder), [archiveName.filename]);
      await assertNothingOpen(folder);
      assert.deepEqual(
        lines.map(({ level }) => level),
        ["warn"],
      );
    });
});

describe("the file store that asks what its file system can do", () => {
  it("takes an error that passes for none", async (t) => {
    for (const call of ["link", "rename"]) {
      const { store } = await freshStore(t);
      let times = 0;
      const restore = injectFault(t, call, async (real) => {
        if (++times < 3) throw systemError("EIO");
        return real();
      });
      assert.equal(await put(store, "first"), "committed");
      assert.equal(store.note?.(), "", call);
      restore();
    }
  });

  it("fails in words, or not at all, whichever of its calls fails once", async (t) => {
    for (const call of ["open", "lstat", "rename", "link", "rm"]) {
      let calls = 1;
      for (let nth = 1; nth <= calls; nth++) {
        const { store, folder } = await freshStore(t);
        calls = 0;
        const restore = injectFault(t, call, async (real, [path]) => {
          if (String(path).includes(".partial") && ++calls === nth) throw systemError("EIO");
          return real();
        });
        const answer = await put(store, "first").catch((error) => error.reason);
        restore();
        assert.match(answer, /^(committed|STORE_UNAVAILABLE)$/, `${call} ${nth}`);
        await put(store, "second", "replace");
        assert.equal(store.note?.(), "", `${call} ${nth}`);
        assert.equal((await lookIn(store)).content, "second");
        await assertNothingOpen(folder);
      }
    }
  });

  it("asks again what it was denied, with the next save", async (t) => {
    const { store, lines } = await freshStore(t);
    const restore = injectFault(t, "link", failing("EIO"));
    await put(store, "first");
    assert.match(store.note?.() ?? "", /no hard links/);
    restore();
    await put(store, "second", "replace");
    assert.equal(store.note?.(), "");
    assert.equal(lines.length, 1);
  });

  it("asks once what it was given, and writes nothing to load", async (t) => {
    const { store, folder } = await freshStore(t);
    let made = 0;
    injectFault(t, "open", (real, [, flags]) => {
      if (flags === "wx") made += 1;
      return real();
    });
    await lookIn(store);
    await store.list(undefined);
    assert.equal(made, 0);
    for (const mode of ["create", "replace", "replace"] as const) await put(store, "x", mode);
    assert.equal(made, 3 + 2);
    assert.deepEqual(readdirSync(folder), [archiveName.filename]);
  });

  it("believes what came of a call, not its answer", async (t) => {
    const { store } = await freshStore(t);
    for (const call of ["link", "rename"]) injectFault(t, call, failingAfterwards("EIO"));
    assert.equal(await put(store, "first"), "committed");
    assert.equal(store.note?.(), "");
  });
});

describe("the file store on a file system that cannot rename", () => {
  for (const code of ["ENOSYS", "EIO"])
    it(`says so when a save begins, and loads (${code})`, async (t) => {
      const { store, folder } = await freshStore(t);
      await put(store, "first");
      const opened = await createFileStore(join(folder, ".."), recordingLogger([]));
      injectFault(t, "rename", failing(code));
      await assert.rejects(
        opened.create(archiveName),
        (error: { reason?: string; message: string }) => {
          assert.equal(error.reason, "STORE_UNAVAILABLE");
          assert.match(error.message, new RegExp(`cannot rename files \\(${code}\\)`));
          assert.match(error.message, /name another store with COMPILE_CACHE_STORE/);
          return true;
        },
      );
      assert.equal((await lookIn(opened)).content, "first");
      assert.deepEqual(readdirSync(folder), [archiveName.filename]);
      await assertNothingOpen(folder);
    });

  it("over another: saves what is new, and says what to do where there is one", async (t) => {
    const { store, folder } = await freshStore(t);
    injectFault(t, "link", failing("ENOSYS"));
    injectFault(t, "rename", async (real, [, to]) => {
      const { existsSync } = await import("node:fs");
      if (existsSync(String(to))) throw systemError("EEXIST");
      return real();
    });
    assert.equal(await put(store, "first"), "committed");
    for (const mode of ["replace", { replaces: (await lookIn(store)).version ?? "" }] as const)
      await assert.rejects(put(store, "second", mode), {
        reason: "STORE_UNAVAILABLE",
        message: /cannot replace a file in one step: delete this cache before you save it again/,
      });
    assert.equal((await lookIn(store)).content, "first");
    assert.equal(await store.remove(archiveName), true);
    assert.equal(await put(store, "second", "replace"), "committed");
    assert.equal((await lookIn(store)).content, "second");
    assert.deepEqual(readdirSync(folder), [archiveName.filename]);
  });
});

describe("the file store on a file system", () => {
  it("that cannot rename an open file: closes it first", async (t) => {
    const { store } = await freshStore(t);
    for (const call of ["link", "rename"])
      injectFault(t, call, async (real, [from]) => {
        await assertNothingOpen(String(from));
        return real();
      });
    assert.equal(await put(store, "first"), "committed");
    assert.equal(await put(store, "second", "replace"), "committed");
  });

  for (const code of ["EINVAL", "ENOTSUP", "ENOSYS"])
    it(`that cannot make files durable commits all the same (${code})`, async (t) => {
      const { store } = await freshStore(t);
      await injectFileFault(t, "sync", failing(code));
      assert.equal(await put(store, "first"), "committed");
      assert.equal((await lookIn(store)).content, "first");
    });
});
