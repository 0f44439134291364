import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  type BigIntStats,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { ends } from "../../../../test/support/eventually.ts";
import { cannotMount, mount, mountTmpfs } from "../../../../test/support/machine/mounts.ts";
import { recordingLogger } from "../../../../test/support/recording-logger.ts";
import { assertNothingOpen } from "../../../../test/support/refusal.ts";
import {
  failing,
  failingAfterwards,
  hanging,
  injectCloseFault,
  injectFault,
  injectFileFault,
  systemError,
} from "../contract/faults.ts";
import { ArchiveReplaced, type CommitMode, type Store } from "../store.ts";
import { createFileStore } from "./store.ts";

const name = { namespace: "faults", filename: "cache_0123456789ab.latest.tar.zst" };

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function freshStore(t: TestContext, root = join(scratch(t), "store")) {
  const store = await createFileStore(root, recordingLogger([]));
  return { store, root, folder: join(root, name.namespace) };
}

/** A store that knows what its file system can do. */
async function probedStore(t: TestContext) {
  const fresh = await freshStore(t);
  await (await fresh.store.create(name)).abort();
  return fresh;
}

async function put(store: Store, content: string | Buffer, mode: CommitMode = "create") {
  const writer = await store.create(name);
  try {
    await writer.write(Buffer.from(content as string));
    return await writer.commit(mode);
  } finally {
    await writer.abort();
  }
}

async function contentOf(store: Store): Promise<string | undefined> {
  const reader = await store.open(name);
  if (!reader) return undefined;
  try {
    return (await reader.read(0, reader.bytes)).toString();
  } finally {
    await reader[Symbol.asyncDispose]();
  }
}

const visible = (folder: string) =>
  readdirSync(folder).filter((entry) => !entry.endsWith(".damaged"));

/** Requires that each call fails as one on a store that is not there. */
async function assertUnavailable(store: Store, but: readonly string[] = []): Promise<void> {
  const calls: Record<string, () => Promise<unknown>> = {
    open: () => store.open(name),
    create: () => store.create(name),
    "list all": () => store.list(undefined),
    "list one": () => store.list(name.namespace),
    remove: () => store.remove(name),
    setAside: () => store.setAside(name, "1-2-3-4"),
    freeBytes: () => store.freeBytes(),
  };
  for (const [call, run] of Object.entries(calls))
    if (!but.includes(call)) await assert.rejects(run, { reason: "STORE_UNAVAILABLE" }, call);
}

describe("the file store whose answers get lost", () => {
  for (const code of ["EIO", "EEXIST", "ETIMEDOUT"]) {
    it(`believes the link that it finds, not the error (${code})`, async (t) => {
      const { store, folder } = await freshStore(t);
      injectFault(t, "link", failingAfterwards(code));
      assert.equal(await put(store, "first"), "committed");
      assert.equal(await put(store, "second"), "exists");
      assert.equal(await contentOf(store), "first");
      assert.deepEqual(visible(folder), [name.filename]);
    });

    it(`believes the renamed file that it finds (${code})`, async (t) => {
      const { store, folder } = await freshStore(t);
      await put(store, "first");
      injectFault(t, "rename", failingAfterwards(code));
      assert.equal(await put(store, "second", "replace"), "committed");
      assert.equal(await contentOf(store), "second");
      assert.deepEqual(visible(folder), [name.filename]);
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
    assert.deepEqual(visible(folder), [name.filename]);
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
    await assert.rejects(store.open(name), { reason: "STORE_UNAVAILABLE" });
    await assert.rejects(store.create(name), { reason: "STORE_UNAVAILABLE" });
    await assertNothingOpen(folder);
  });
});

describe("the file store that others use meanwhile", () => {
  const versionIn = async (store: Store) => {
    const reader = await store.open(name);
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
    const generations = join(folder, `.${name.filename}.generations`);
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
    const generations = join(folder, `.${name.filename}.generations`);
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
      assert.deepEqual(visible(folder), [`.${name.filename}.generations`, name.filename]);
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
      let times = 0;
      injectFault(t, call, async (real, [path]) => {
        if (/\.latest/.test(String(path)) && ++times % 3 !== 0) throw systemError(code, errno);
        return real();
      });
      assert.equal(await contentOf(store), "first");
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
    const reader = await store.open(name);
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

describe("the file store on a mount that hangs", () => {
  it("gives up after its time-out, and goes on with other calls", async (t) => {
    const { store } = await freshStore(t);
    await put(store, "first");
    const reader = await store.open(name);
    const restore = await injectFileFault(t, "read", hanging);
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const read = assert.rejects(reader?.read(0, 1) ?? Promise.resolve(), {
      reason: "STORE_UNAVAILABLE",
      message: /did not answer within 30 s/,
    });
    assert.deepEqual(await store.list(undefined), [name]);
    t.mock.timers.tick(30_000);
    await read;
    restore();
    assert.equal(await contentOf(store), "first");
    await reader?.[Symbol.asyncDispose]();
  });

  it("lets go of a hung read at once when its caller goes away", async (t) => {
    const { store } = await freshStore(t);
    await put(store, "first");
    const reader = await store.open(name);
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
    const writer = await store.create(name);
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
    const writer = await store.create(name);
    await writer.write(Buffer.from("x"));
    const caller = new AbortController();
    const commit = assert.rejects(writer.commit("create", caller.signal), /gone/);
    caller.abort(new Error("gone"));
    await commit;
    await ends("the writer that gives up", writer.abort());
    assert.deepEqual(readdirSync(folder), []);
  });
});

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
    const dir = scratch(t);
    writeFileSync(join(dir, "file"), "");
    await assertUnavailable(await createFileStore(join(dir, "file"), recordingLogger([])));
    const { store, root } = await freshStore(t);
    writeFileSync(join(root, name.namespace), "");
    await assert.rejects(store.create(name), { reason: "STORE_UNAVAILABLE" });
  });

  it("starts without it, and never makes more than its last component", async (t) => {
    const dir = scratch(t);
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
    const reader = await store.open(name);
    execFileSync("mount", ["-o", "remount,ro", root]);
    await assert.rejects(put(store, "second"), { reason: "STORE_UNAVAILABLE" });
    await assert.rejects(store.remove(name), { reason: "STORE_UNAVAILABLE" });
    await assert.rejects(store.setAside(name, reader?.version ?? ""), {
      reason: "STORE_UNAVAILABLE",
    });
    assert.equal(await contentOf(store), "first");
    assert.deepEqual(await store.list(undefined), [name]);
    await reader?.[Symbol.asyncDispose]();
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
    assert.deepEqual(visible(folder), [name.filename]);
    await assertNothingOpen(root);
    assert.equal(await store.freeBytes(), before);
    assert.equal(await contentOf(store), "first");
  });

  it("says INSUFFICIENT_SPACE when it is out of inodes", { skip: cannotMount }, async (t) => {
    const { store } = await freshStore(t, mountTmpfs(t, "size=2m,nr_inodes=2"));
    await assert.rejects(put(store, "first"), { reason: "INSUFFICIENT_SPACE" });
  });
});

describe("what a killed writer left", () => {
  const partial = (n: number) => `.${name.filename}.00000000000${n}.partial`;
  const leave = (folder: string, ...entries: string[]) => {
    mkdirSync(folder, { recursive: true });
    for (const entry of entries) writeFileSync(join(folder, entry), "half");
  };

  /** Makes files look as if they were changed hours ago: no call sets a time of change. */
  function setAges(t: TestContext, hours: Record<string, number>): void {
    injectFault(t, "lstat", async (real, [path]) => {
      const stat = (await real()) as Stats;
      if (!(basename(String(path)) in hours)) return stat;
      for (const time of ["ctimeMs", "mtimeMs"] as const)
        stat[time] -= (hours[basename(String(path))] ?? 0) * 3_600_000;
      return stat;
    });
  }

  it("is swept by the next one after an hour, and nothing else is", async (t) => {
    const { store, folder } = await freshStore(t);
    const kept = [
      name.filename.replace("0123", "aaaa"),
      ".hidden.partial",
      ".hidden.damaged",
      `${name.filename}.000000000000.partial`,
      "notes.txt",
    ];
    leave(folder, ...kept, partial(1), partial(2));
    const ages = Object.fromEntries(kept.map((entry) => [entry, 1000]));
    setAges(t, { ...ages, [partial(1)]: 1.1, [partial(2)]: 0.9 });
    await put(store, "whole");
    const expected = [...kept, name.filename, partial(2)].sort();
    assert.deepEqual(readdirSync(folder).sort(), expected);
  });

  it("is swept after a week if it is a damaged archive that was set aside", async (t) => {
    const { store, folder } = await freshStore(t);
    const damaged = (n: number) => partial(n).replace("partial", "damaged");
    leave(folder, damaged(1), damaged(2));
    setAges(t, { [damaged(1)]: 7 * 24 + 0.1, [damaged(2)]: 7 * 24 - 0.1 });
    await put(store, "whole");
    assert.deepEqual(readdirSync(folder).sort(), [damaged(2), name.filename].sort());
  });

  it("stays while either of its times is young, or in the future", async (t) => {
    const { store, folder } = await freshStore(t);
    leave(folder, partial(1), partial(2), partial(3));
    setAges(t, { [partial(1)]: 2, [partial(3)]: -1000 });
    const later = new Date(Date.now() + 86_400_000);
    utimesSync(join(folder, partial(1)), later, later);
    await put(store, "whole");
    assert.deepEqual(
      readdirSync(folder).sort(),
      [partial(1), partial(2), partial(3), name.filename].sort(),
    );
  });

  it("is as old as the file system's clock says, not ours", async (t) => {
    const { store, folder } = await freshStore(t);
    leave(folder, partial(1));
    const realNow = Date.now;
    t.after(() => (Date.now = realNow));
    Date.now = () => realNow() + 24 * 3_600_000;
    await put(store, "whole");
    assert.deepEqual(readdirSync(folder).sort(), [partial(1), name.filename].sort());
  });

  it("is not a new file, though its modification time may be old", async (t) => {
    const { store, folder } = await freshStore(t);
    leave(folder, partial(1));
    utimesSync(join(folder, partial(1)), new Date(0), new Date(0));
    await put(store, "whole");
    assert.deepEqual(readdirSync(folder).sort(), [partial(1), name.filename].sort());
  });

  it("blocks no writer when it cannot be removed", async (t) => {
    const { store, folder } = await freshStore(t);
    mkdirSync(join(folder, partial(1), "not-empty"), { recursive: true });
    setAges(t, { [partial(1)]: 2 });
    assert.equal(await put(store, "whole"), "committed");
    await assertNothingOpen(folder);
  });
});
