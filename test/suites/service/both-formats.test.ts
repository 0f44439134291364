import assert from "node:assert/strict";
import { copyFileSync, existsSync } from "node:fs";
import { describe, test } from "node:test";
import { call } from "../../support/client/service-client.ts";
import {
  environment,
  startTestDaemon,
  writeFiles,
} from "../../support/daemon/daemon-in-process.ts";

/** A daemon whose store holds one cache under both of its names. */
async function startWithBoth(t: Parameters<typeof startTestDaemon>[0]) {
  const started = await startTestDaemon(t);
  const { client, localDir, archive } = started;
  writeFiles(localDir, 3);
  await call(client, "save", { environment });
  const other = archive.replace(/zst$/, "gz");
  copyFileSync(archive, other);
  return { ...started, other };
}

describe("a cache that the store holds in both formats", () => {
  test("is listed once, as what a load takes", async (t) => {
    const { client } = await startWithBoth(t);
    const { caches } = await call(client, "listCaches", { environment });
    assert.deepEqual(
      caches.map(({ filename }) => filename.slice(-7)),
      ["tar.zst"],
    );
    const { stored } = await call(client, "getCacheInfo", { environment });
    assert.deepEqual(caches, [stored]);
    const pages = await call(client, "listCaches", { pageSize: 1 });
    assert.deepEqual([pages.caches.length, pages.nextPageToken], [1, ""]);
  });

  test("is deleted whole", async (t) => {
    const { client, archive, other } = await startWithBoth(t);
    const { caches } = await call(client, "listCaches", {});
    await call(client, "deleteCache", { cacheKey: caches[0]?.cacheKey ?? "" });
    assert.deepEqual([existsSync(archive), existsSync(other)], [false, false]);
  });

  test("is replaced in one format", async (t) => {
    const { client, archive, other } = await startWithBoth(t);
    await call(client, "save", { environment, ifStoredExists: 3 });
    assert.deepEqual([existsSync(archive), existsSync(other)], [true, false]);
  });
});
