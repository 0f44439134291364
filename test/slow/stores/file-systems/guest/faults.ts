import assert from "node:assert/strict";
import { linkSync, mkdtempSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { injectFault, systemError } from "../../../../../server/src/store/contract/faults.ts";
import type { CommitMode, Store } from "../../../../../server/src/store/store.ts";
import { openFileStore } from "../../../../support/file-store.ts";
import { seal, unseal } from "../sealed-content.ts";
import { carryOut } from "../store-work.ts";
import { nfsVersions, rootsOf } from "./mounts.ts";
import {
  exportSmallDisk,
  mountOverNetwork,
  mountSmallDisk,
  restartServer,
  setNetwork,
  smallDisk,
} from "./server.ts";

const name = { namespace: "faults", filename: "cache_0123456789ab.latest.tar.zst" };
const unavailable = { reason: "STORE_UNAVAILABLE" };

async function put(store: Store, content: Buffer, mode: CommitMode = "create") {
  const writer = await store.create(name);
  try {
    await writer.write(content);
    return await writer.commit(mode);
  } finally {
    await writer.abort();
  }
}

async function entriesIn(store: Store) {
  const reader = await store.open(name);
  assert.ok(reader);
  const content = await reader.read(0, reader.bytes);
  await reader[Symbol.asyncDispose]();
  return { entries: unseal(content), version: reader.version };
}

/** The names that the server has, without files that a client keeps until they are closed. */
async function namesAt(server: string): Promise<string[]> {
  for (let waitedMs = 0; ; waitedMs += 100) {
    const names = readdirSync(join(server, name.namespace)).sort();
    if (waitedMs > 10_000 || !names.some((name) => name.startsWith(".nfs"))) return names;
    await sleep(100);
  }
}

for (const version of nfsVersions) {
  /** Makes a folder for the store of a test; returns its name. */
  const makeFolder = (mount: string) => basename(mkdtempSync(join(mount, "faults-")));

  describe(`the file store on NFS ${version}`, () => {
    it("says INSUFFICIENT_SPACE when the server is full, and gives the space back", async (t) => {
      const mount = mountSmallDisk(t, version);
      const folder = makeFolder(mount);
      const store = await openFileStore(join(mount, folder));
      await put(store, seal(["first"]));
      const before = (await store.freeBytes()) as number;
      const tooLarge = Buffer.alloc(before + (4 << 20), "x");
      for (const mode of ["create", "replace"] as const)
        await assert.rejects(put(store, tooLarge, mode), { reason: "INSUFFICIENT_SPACE" }, mode);
      assert.deepEqual(await namesAt(join(smallDisk, folder)), [name.filename]);
      assert.deepEqual((await entriesIn(store)).entries, ["first"]);
      await untilFree(store, before - 262_144);
      assert.equal(await put(store, seal(["second"]), "replace"), "committed");
    });

    it("is unavailable for writers, not for readers, while the export is read-only", async (t) => {
      const mount = mountSmallDisk(t, version);
      const folder = makeFolder(mount);
      const store = await openFileStore(join(mount, folder));
      await put(store, seal(["first"]));
      exportSmallDisk("ro");
      t.after(() => exportSmallDisk("rw"));
      const there = await entriesIn(store);
      assert.deepEqual(there.entries, ["first"]);
      await assert.rejects(put(store, seal(["second"])), unavailable);
      await assert.rejects(put(store, seal(["second"]), "replace"), unavailable);
      await assert.rejects(store.remove(name), unavailable);
      await assert.rejects(store.setAside(name, there.version), unavailable);
      assert.deepEqual(await store.list(undefined), [name]);
      assert.deepEqual(await namesAt(join(smallDisk, folder)), [name.filename]);
      exportSmallDisk("rw");
      assert.equal(await put(store, seal(["second"]), "replace"), "committed");
    });

    for (const kind of ["soft", "hard"] as const)
      it(`is unavailable on a ${kind} mount whose server is out of reach, and comes back`, async (t) => {
        const mount = mountOverNetwork(t, version, kind);
        const folder = makeFolder(mount);
        const store = await openFileStore(join(mount, folder));
        await put(store, seal(["first"]));
        setNetwork("down");
        t.after(() => setNetwork("up"));
        const startedAt = performance.now();
        const calls = [() => store.open(name), () => put(store, seal(["second"]), "replace")];
        await Promise.all(calls.map((call) => assert.rejects(call, unavailable)));
        assert.ok(performance.now() - startedAt < 60_000);
        setNetwork("up");
        await untilItAnswers(store);
        assert.deepEqual((await entriesIn(store)).entries, ["first"]);
        assert.equal(await put(store, seal(["third"]), "replace"), "committed");
        assert.deepEqual((await entriesIn(store)).entries, ["third"]);
      });

    // Over version 3 this kernel's client waits for minutes before it connects again.
    if (version !== "v3")
      it("loses nothing that was acknowledged when the server is restarted", async () => {
        const folder = makeFolder(rootsOf(version)[0]);
        const roots = rootsOf(version).map((root) => join(root, folder));
        const entries = Array.from({ length: 40 }, (_, n) => `${n}`);
        const work = [0, 1].map(async (client) => {
          for (const entry of entries.filter((_, n) => n % 2 === client))
            await carryOut({ root: roots[client] as string, name, task: { kind: "grow", entry } });
        });
        await sleep(500);
        await restartServer();
        await Promise.all(work);
        for (const root of roots) {
          const { entries: there } = await carryOut({ root, name, task: { kind: "read" } });
          assert.deepEqual([...there].sort(), [...entries].sort());
        }
      });

    for (const what of ["create", "refresh"] as const)
      it(`knows its own link although the answer to it was lost (${what})`, async (t) => {
        const [first, second] = rootsOf(version);
        const folder = makeFolder(first);
        const store = await openFileStore(join(first, folder));
        if (what === "refresh") await put(store, seal(["before"]));
        const mode = what === "create" ? what : { replaces: (await entriesIn(store)).version };
        loseAnswerToLink(t, first, second);
        assert.equal(await put(store, seal(["mine"]), mode), "committed");
        assert.deepEqual((await entriesIn(store)).entries, ["mine"]);
      });

    it("gives a sound archive back that another client put in the place of a damaged one", async (t) => {
      const [first, second] = rootsOf(version);
      const folder = makeFolder(first);
      const store = await openFileStore(join(first, folder));
      await put(store, seal(["damaged"]));
      const damaged = await entriesIn(store);
      const elsewhere = await openFileStore(join(second, folder));
      const restore = injectFault(t, "rename", async (real) => {
        restore();
        assert.equal(await elsewhere.setAside(name, damaged.version), true);
        assert.equal(await put(elsewhere, seal(["sound"])), "committed");
        return real();
      });
      assert.equal(await store.setAside(name, damaged.version), false);
      for (const one of [store, elsewhere])
        assert.deepEqual((await entriesIn(one)).entries, ["sound"]);
    });
  });
}

/** A server gives the space of a removed file back some time later. */
async function untilFree(store: Store, bytes: number): Promise<void> {
  for (let waitedMs = 0; ((await store.freeBytes()) as number) < bytes; waitedMs += 100) {
    assert.ok(waitedMs < 10_000, `only ${await store.freeBytes()} bytes are free`);
    await sleep(100);
  }
}

/** Calls that hang on a hard mount end some time after the server is back. */
async function untilItAnswers(store: Store): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += 500)
    try {
      return void (await store.list(undefined));
    } catch (error) {
      if (waitedMs > 90_000) throw error;
      await sleep(500);
    }
}

/**
 * Makes the next link without the first client's knowledge, as when the answer is lost and it asks
 * again: the other client makes it.
 */
function loseAnswerToLink(t: TestContext, first: string, second: string): void {
  const restore = injectFault(t, "link", async (_, [from, to]) => {
    restore();
    const [elsewhere, name] = [from, to].map((path) => String(path).replace(first, second));
    // Version 3 sees a directory change by its time of change, which has steps of 10 ms there.
    await sleep(50);
    linkSync(elsewhere as string, name as string);
    await sleep(50);
    throw systemError("EEXIST", -17);
  });
}
