import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { startClients } from "../../support/client/client-processes.ts";
import { saveAtOnce } from "../../support/client/save-at-once.ts";
import { createTestPlace, environment } from "../../support/daemon/daemons.ts";
import { lacksTools, leavesOut } from "../../support/machine/tools.ts";
import { listKeys } from "../../support/s3/bucket-content.ts";
import { loadWhileReplaced } from "../../support/s3/load-while-replaced.ts";
import { startTestObjectServer } from "../../support/s3/object-server.ts";
import { versionIn, writeVersion } from "../../support/trees/versions.ts";

const saverCount = 32;
const daemonCount = 4;

const servers = [
  { name: "versitygw", skip: lacksTools("versitygw") },
  { name: "minio", skip: leavesOut("minio") },
] as const;

for (const { name, skip = false } of servers)
  describe(`daemons over ${name}`, { skip }, () => {
    /** A server, and a function that starts daemons over it. */
    async function setUp(t: TestContext) {
      const place = await createTestPlace(t);
      const server = await startTestObjectServer(t, name);
      const startDaemon = () => place.startDaemon(server.variables("caches/here"));
      return { place, server, startDaemon };
    }

    it("save a cache, show it, load it back and delete it", async (t) => {
      const { place, server, startDaemon } = await setUp(t);
      const { client, line } = await startDaemon();
      await line("the store keeps to conditions");
      const [source, localDir] = [join(place.allowed, "source"), join(place.allowed, "loaded")];
      assert.equal((await client.load({ environment, localDir })).status, "does_not_exist");
      writeVersion(source, 7);
      const saved = await client.save({ environment, localDir: source });
      assert.equal(saved.status, "success");
      assert.equal((await client.save({ environment, localDir: source })).status, "skipped");
      assert.deepEqual(await listKeys(server), [`caches/here/default/${saved.cache?.filename}`]);
      const info = await client.getCacheInfo({ environment, localDir: source });
      assert.equal(info.store, `s3://${server.bucket}/caches/here`);
      assert.equal(info.storeNote, "keeps to conditions");
      assert.deepEqual(info.stored, saved.cache);
      // Another daemon knows nothing but what is in the bucket.
      const other = await startDaemon();
      assert.equal((await other.client.load({ environment, localDir })).status, "success");
      assert.equal(versionIn(localDir), 7);
      const { cacheKey = "" } = saved.cache ?? {};
      await other.client.deleteCache({ namespace: "default", cacheKey });
      assert.deepEqual(await listKeys(server), []);
    });

    it(`leave one archive of ${saverCount} processes that save one key at once`, async (t) => {
      const { place, server, startDaemon } = await setUp(t);
      const daemons = await Promise.all(Array.from({ length: daemonCount }, startDaemon));
      const clients = startClients(t, saverCount);
      const results = await saveAtOnce(clients, daemons, place.allowed);
      const winners = results.filter(({ status }) => status === "success");
      assert.equal(winners.length, 1);
      for (const { status, cache } of results) {
        assert.match(status, /^(success|skipped)$/);
        assert.deepEqual(cache, winners[0]?.cache);
      }
      assert.deepEqual(await listKeys(server), [
        `caches/here/default/${winners[0]?.cache?.filename}`,
      ]);
      const { client } = await startDaemon();
      const localDir = join(place.allowed, "loaded");
      await client.load({ environment, localDir });
      assert.equal(results.indexOf(winners[0] as (typeof results)[0]), versionIn(localDir));
    });

    it("load one whole version each time while others replace it", async (t) => {
      const { place, startDaemon } = await setUp(t);
      const [saver, loader] = await Promise.all([startDaemon(), startDaemon()]);
      await loadWhileReplaced(saver, loader, place.allowed);
    });
  });
