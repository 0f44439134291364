import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { ends } from "../../../../test/support/eventually.ts";
import {
  archiveName,
  contentOf,
  freshStore,
  lookIn,
  put,
  temporaryDirectory,
} from "../../../../test/support/file-store.ts";
import { cannotMount, mountTmpfs } from "../../../../test/support/machine/mounts.ts";
import { failing, injectFault, injectFileFault, systemError } from "../contract/faults.ts";
import { ArchiveReplaced, ArchiveUnreadable, type Store } from "../store.ts";

/** Whatever was planted beside it: the archive, "first", is found, and replaced in both ways. */
async function assertGoesOn(store: Store): Promise<void> {
  assert.equal(await contentOf(store), "first");
  for (const content of ["second", "third"]) {
    const { version = "" } = await lookIn(store);
    assert.equal(await put(store, content, { replaces: version }), "committed");
    assert.equal(await contentOf(store), content);
  }
  assert.equal(await put(store, "fourth", "replace"), "committed");
  assert.equal(await contentOf(store), "fourth");
}

describe("the file store with strange things in it", () => {
  it("does not wait for a FIFO that has an archive's name", async (t) => {
    const { store, folder } = await freshStore(t);
    mkdirSync(folder);
    const fifo = join(folder, archiveName.filename);
    execFileSync("mkfifo", [fifo]);
    const opening = store.open(archiveName).catch((error: { reason?: string }) => error.reason);
    const outcome = await ends("the opening", opening).catch(String);
    // A call that does wait for it must end, or this process would not.
    closeSync(openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK));
    assert.equal(outcome, "STORE_UNAVAILABLE");
    assert.deepEqual(await store.list(undefined), []);
  });

  it("takes no directory for an archive", async (t) => {
    const { store, folder } = await freshStore(t);
    mkdirSync(join(folder, archiveName.filename), { recursive: true });
    await assert.rejects(store.open(archiveName), ArchiveUnreadable);
    await assert.rejects(
      store.open(archiveName),
      /is a directory, where an archive should be a file/,
    );
    assert.deepEqual(await store.list(undefined), []);
  });

  it("follows no link that has an archive's name, nor one that takes it later", async (t) => {
    const { store, root, folder } = await freshStore(t);
    writeFileSync(join(root, "secret"), "not an archive");
    mkdirSync(folder);
    symlinkSync(join(root, "secret"), join(folder, archiveName.filename));
    await assert.rejects(store.open(archiveName), ArchiveUnreadable);
    await assert.rejects(put(store, "x"), /is a symbolic link, which the store does not follow/);
    assert.deepEqual(await store.list(undefined), []);
    rmSync(join(folder, archiveName.filename));
    await put(store, "archive");
    injectFault(t, "open", (real, [path]) => {
      if (String(path).endsWith(archiveName.filename)) {
        rmSync(String(path), { force: true });
        symlinkSync(join(root, "secret"), String(path));
      }
      return real();
    });
    await assert.rejects(store.open(archiveName), { reason: "STORE_UNAVAILABLE" });
  });

  for (const number of [
    "9007199254740992",
    "9007199254740991",
    "1000000000000",
    "000000000007",
    "99999999x",
  ])
    it(`passes over ${number}, which is no number of a daemon`, async (t) => {
      const { store, folder } = await freshStore(t);
      await put(store, "first");
      const generations = join(folder, `.${archiveName.filename}.generations`);
      mkdirSync(generations);
      writeFileSync(join(generations, number), "planted");
      await assertGoesOn(store);
      assert.ok(await store.remove(archiveName));
    });

  it("passes over links, FIFOs and directories that have a number", async (t) => {
    const { store, root, folder } = await freshStore(t);
    writeFileSync(join(root, "secret"), "not an archive");
    await put(store, "first");
    const generations = join(folder, `.${archiveName.filename}.generations`);
    mkdirSync(join(generations, "00000003"), { recursive: true });
    symlinkSync(join(root, "secret"), join(generations, "00000001"));
    execFileSync("mkfifo", [join(generations, "00000004")]);
    await assertGoesOn(store);
  });

  it("says in words that a number is the last", async (t) => {
    const { store, folder } = await freshStore(t);
    await put(store, "first");
    const generations = join(folder, `.${archiveName.filename}.generations`);
    mkdirSync(generations);
    writeFileSync(join(generations, "999999999999"), "planted");
    const { version = "" } = await lookIn(store);
    await assert.rejects(put(store, "second", { replaces: version }), /which no daemon has given/);
    assert.ok(await store.remove(archiveName));
    assert.equal(await put(store, "third"), "committed");
  });

  it("neither reads nor writes numbers through a link", async (t) => {
    const { store, root, folder } = await freshStore(t);
    await put(store, "first");
    mkdirSync(join(root, "elsewhere"));
    writeFileSync(join(root, "elsewhere", "00000001"), "secret");
    symlinkSync(join(root, "elsewhere"), join(folder, `.${archiveName.filename}.generations`));
    const { content, version = "" } = await lookIn(store);
    assert.equal(content, "first");
    await assert.rejects(put(store, "second", { replaces: version }), /is not a directory/);
    assert.deepEqual(readdirSync(join(root, "elsewhere")), ["00000001"]);
    assert.ok(await store.remove(archiveName));
    assert.deepEqual(readdirSync(join(root, "elsewhere")), ["00000001"]);
  });

  it("reads nothing through a link that takes a namespace's place meanwhile", async (t) => {
    const { store, root, folder } = await freshStore(t);
    await put(store, "archive");
    await put(store, "secret", "create", { ...archiveName, namespace: "other" });
    injectFault(t, "open", (real, [path]) => {
      if (String(path).endsWith(archiveName.filename) && !lstatSync(folder).isSymbolicLink()) {
        renameSync(folder, `${folder}-moved`);
        symlinkSync(join(root, "other"), folder);
      }
      return real();
    });
    await assert.rejects(store.open(archiveName), /is reached through a link/);
  });

  it("writes nothing through such a link either", async (t) => {
    const { store, root, folder } = await freshStore(t);
    await put(store, "archive");
    mkdirSync(join(root, "elsewhere"));
    injectFault(t, "open", (real, [path]) => {
      if (String(path).includes("partial") && !lstatSync(folder).isSymbolicLink()) {
        renameSync(folder, `${folder}-moved`);
        symlinkSync(join(root, "elsewhere"), folder);
      }
      return real();
    });
    await assert.rejects(put(store, "another", "replace"), /is a link by now/);
    assert.deepEqual(readdirSync(join(root, "elsewhere")), []);
  });

  it("follows no link that has a namespace's name", async (t) => {
    const { store, root, folder } = await freshStore(t);
    await put(store, "x", "create", { ...archiveName, namespace: "other" });
    symlinkSync(join(root, "other"), folder);
    const message = `${folder} is not a directory; a link to one is not followed`;
    const calls = {
      open: () => store.open(archiveName),
      create: () => store.create(archiveName),
      list: () => store.list(archiveName.namespace),
      remove: () => store.remove(archiveName),
      "set aside": () => store.setAside(archiveName, "1-2-3"),
    };
    for (const [call, run] of Object.entries(calls))
      await assert.rejects(run, { reason: "STORE_UNAVAILABLE", message }, call);
    assert.equal((await store.list(undefined)).length, 1);
    assert.deepEqual(readdirSync(join(root, "other")), [archiveName.filename]);
  });

  it("serves a root that is a link, and one that the link names later", async (t) => {
    const dir = temporaryDirectory(t);
    mkdirSync(join(dir, "disk"));
    symlinkSync("disk", join(dir, "link"));
    const { store } = await freshStore(t, join(dir, "link"));
    assert.equal(await put(store, "x"), "committed");
    assert.equal(await contentOf(store), "x");
    renameSync(join(dir, "disk"), join(dir, "gone"));
    await assert.rejects(store.open(archiveName), { reason: "STORE_UNAVAILABLE" });
    assert.ok(!existsSync(join(dir, "disk")));
  });

  it("passes over foreign files, and names that are not UTF-8", async (t) => {
    const { store, root, folder } = await freshStore(t);
    await put(store, "x");
    for (const place of [root, folder])
      for (const foreign of ["lost+found", "README.md", "ns-\xff", ".snapshot", "@eaDir"])
        mkdirSync(Buffer.concat([Buffer.from(`${place}/`), Buffer.from(foreign, "latin1")]));
    mkdirSync(join(root, "empty"));
    assert.deepEqual(await store.list(undefined), [archiveName]);
    assert.equal(await contentOf(store), "x");
    assert.equal(
      await put(store, "y", "create", { ...archiveName, namespace: "empty" }),
      "committed",
    );
  });

  it("lists the others while an archive vanishes", async (t) => {
    const { store } = await freshStore(t);
    await put(store, "x");
    let times = 0;
    injectFault(t, "readdir", async (real) => {
      // Node looks at an entry whose kind the file system does not tell.
      if (++times % 2 === 1) throw systemError("ENOENT", -2);
      return real();
    });
    assert.deepEqual(await store.list(archiveName.namespace), [archiveName]);
  });
});

describe("the file store that reads what another machine replaces", () => {
  const readerOf = async (t: TestContext) => {
    const { store, folder } = await freshStore(t);
    await put(store, "archive");
    const reader = await store.open(archiveName);
    assert.ok(reader);
    t.after(() => reader[Symbol.asyncDispose]());
    return { reader, path: join(folder, archiveName.filename) };
  };

  it("gives no bytes where the open file turns into another", async (t) => {
    const { reader } = await readerOf(t);
    await injectFileFault(t, "stat", async (real) => {
      const stat = (await real()) as { mtimeNs: bigint };
      stat.mtimeNs += 1n;
      return stat;
    });
    await assert.rejects(reader.read(0, 7), ArchiveReplaced);
  });

  it("takes a failed read for that only if the name is another's, or free", async (t) => {
    const { reader, path } = await readerOf(t);
    await injectFileFault(t, "read", failing("EIO"));
    await assert.rejects(reader.read(0, 7), (error) => !(error instanceof ArchiveReplaced));
    writeFileSync(path, "another");
    await assert.rejects(reader.read(0, 7), ArchiveReplaced);
    rmSync(path);
    await assert.rejects(reader.read(0, 7), ArchiveReplaced);
  });
});

describe("the file store where something cannot be written", () => {
  const says: Record<string, [string, RegExp]> = {
    EROFS: ["STORE_UNAVAILABLE", /is read-only: caches can be loaded from it/],
    EFBIG: ["INSUFFICIENT_SPACE", /takes no file as large as this archive/],
    EDQUOT: ["INSUFFICIENT_SPACE", /is full/],
    ENAMETOOLONG: ["STORE_UNAVAILABLE", /takes no name as long as/],
  };
  for (const [code, [reason, message]] of Object.entries(says))
    it(`says what is the matter (${code})`, async (t) => {
      const { store, folder } = await freshStore(t);
      const fault = failing(code);
      await injectFileFault(
        t,
        "write",
        code === "EDQUOT"
          ? () => Promise.reject(Object.assign(new Error("unknown"), { errno: -122 }))
          : fault,
      );
      await assert.rejects(put(store, "x"), { reason, message });
      assert.deepEqual(readdirSync(folder), []);
    });

  it("does not care for noexec, nosuid and nodev", { skip: cannotMount }, async (t) => {
    const { store } = await freshStore(t, mountTmpfs(t, "size=1m,noexec,nosuid,nodev"));
    assert.equal(await put(store, "x"), "committed");
    assert.equal(await contentOf(store), "x");
  });
});
