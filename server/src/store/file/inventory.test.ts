import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { archiveName, contentOf, freshStore, put } from "../../../../test/support/file-store.ts";
import type { Store, StoredFile } from "../store.ts";
import { listInventory } from "./inventory.ts";

const generations = `.${archiveName.filename}.generations`;

async function refresh(store: Store, content: string): Promise<void> {
  const reader = await store.open(archiveName);
  await reader?.[Symbol.asyncDispose]();
  assert.equal(await put(store, content, { replaces: reader?.version ?? "" }), "committed");
}

async function listed(store: Store, kind: StoredFile["kind"]): Promise<StoredFile[]> {
  return (await store.inventory()).files.filter((file) => file.kind === kind);
}

describe("the inventory of a file store", () => {
  it("has what refreshes have replaced, which can go at once", async (t) => {
    const { store } = await freshStore(t);
    await put(store, "one");
    for (const content of ["two two", "three", "four"]) await refresh(store, content);
    const replaced = await listed(store, "unfinished");
    assert.deepEqual(replaced.map(({ bytes }) => bytes).toSorted(), [5, 7]);
    for (const file of replaced) assert.ok(await store.removeFile(file));
    assert.deepEqual(await listed(store, "unfinished"), []);
    assert.equal(await contentOf(store), "four");
    await refresh(store, "five");
    assert.equal(await contentOf(store), "five");
  });

  it("has an archive that has a number, and no name yet", async (t) => {
    const { store, folder } = await freshStore(t);
    await put(store, "one");
    await refresh(store, "refreshed");
    rmSync(join(folder, archiveName.filename));
    const [file, ...others] = await listed(store, "archive");
    assert.deepEqual([file?.bytes, others], [9, []]);
    assert.ok(file && (await store.removeFile(file)));
    assert.equal(await store.open(archiveName), undefined);
    assert.ok(!existsSync(join(folder, generations)));
  });

  it("gives no earlier version back that has the name still, its replacement's writer killed", async (t) => {
    const { store, folder } = await freshStore(t);
    const named = join(folder, archiveName.filename);
    await put(store, "one");
    const earlier = readFileSync(named);
    await refresh(store, "refreshed");
    rmSync(named);
    writeFileSync(named, earlier);
    utimesSync(named, 1000, 1000);
    const [file] = await listed(store, "archive");
    assert.equal(file?.bytes, 9);
    assert.ok(file && (await store.removeFile(file)));
    assert.equal(await store.open(archiveName), undefined);
    assert.deepEqual(readdirSync(folder), []);
  });

  it("gives no earlier version back when the newest is removed", async (t) => {
    const { store, folder } = await freshStore(t);
    await put(store, "one");
    for (const content of ["two", "three", "four"]) await refresh(store, content);
    const [file] = await listed(store, "archive");
    assert.ok(file && (await store.removeFile(file)));
    assert.equal(await store.open(archiveName), undefined);
    assert.deepEqual(readdirSync(folder), []);
  });

  it("has what a collector left at the root", async (t) => {
    const { store, root } = await freshStore(t);
    const left = ".cache_000000000000.latest.tar.zst.0123456789ab.partial";
    writeFileSync(join(root, left), "");
    const [file, ...others] = await listed(store, "unfinished");
    assert.deepEqual([file?.path, others], [left, []]);
    assert.ok(file && (await store.removeFile(file)));
    assert.deepEqual(readdirSync(root), []);
  });

  it("tells the age of what was set aside by when that was", async (t) => {
    const { store, folder } = await freshStore(t);
    await put(store, "one");
    utimesSync(join(folder, archiveName.filename), 1000, 1000);
    const reader = await store.open(archiveName);
    await reader?.[Symbol.asyncDispose]();
    assert.ok(await store.setAside(archiveName, reader?.version ?? ""));
    const { now, files } = await store.inventory();
    assert.deepEqual([files.length, files[0]?.kind], [1, "damaged"]);
    assert.ok(now.getTime() - (files[0]?.modifiedAt.getTime() ?? 0) < 60_000);
  });

  it("looks at a large store in many calls, each of which has the time of one", async (t) => {
    const { folder } = await freshStore(t);
    mkdirSync(folder, { recursive: true });
    for (let n = 0; n < 200; n++) {
      const key = n.toString(16).padStart(12, "0");
      writeFileSync(join(folder, `cache_${key}.latest.tar.zst`), "x");
    }
    let calls = 0;
    const { files } = await listInventory(dirname(folder), (body) => {
      calls += 1;
      return body();
    });
    assert.equal(new Set(files.map(({ path }) => path)).size, 200);
    assert.ok(calls >= 2 + 200 / 64, `${calls} calls`);
  });
});
