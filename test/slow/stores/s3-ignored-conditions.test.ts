import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { startClients } from "../../support/client/client-processes.ts";
import { saveAtOnce } from "../../support/client/save-at-once.ts";
import { createTestPlace, environment } from "../../support/daemon/daemons.ts";
import { leavesOut } from "../../support/machine/tools.ts";
import { listKeys } from "../../support/s3/bucket-content.ts";
import { loadWhileReplaced } from "../../support/s3/load-while-replaced.ts";
import { startTestObjectServer } from "../../support/s3/object-server.ts";
import { versionIn, writeVersion } from "../../support/trees/versions.ts";

const saverCount = 32;
const daemonCount = 4;

/** Garage accepts conditions and ignores them: archives must be whole all the same. */
describe("daemons over a store that ignores conditions", {
  skip: leavesOut("garage") ?? false,
}, () => {
  async function setUp(t: TestContext) {
    const place = await createTestPlace(t);
    const server = await startTestObjectServer(t, "garage");
    const startDaemon = async () => {
      const daemon = await place.startDaemon(server.variables("caches/here"));
      await daemon.line("the store ignores conditions: of several savers the last one wins");
      return daemon;
    };
    return { place, server, startDaemon };
  }

  it("say so, and save, skip, replace and load", async (t) => {
    const { place, startDaemon } = await setUp(t);
    const { client } = await startDaemon();
    const [source, localDir] = [join(place.allowed, "source"), join(place.allowed, "loaded")];
    for (const version of [1, 2]) {
      writeVersion(source, version);
      const ifStoredExists = version === 1 ? "skip" : "replace";
      const saved = await client.save({ environment, localDir: source, ifStoredExists });
      assert.equal(saved.status, "success");
      assert.equal((await client.save({ environment, localDir: source })).status, "skipped");
      assert.equal((await client.load({ environment, localDir })).status, "success");
      assert.equal(versionIn(localDir), version);
      rmSync(localDir, { recursive: true });
    }
    const info = await client.getCacheInfo({ environment, localDir: source });
    assert.equal(info.storeNote, "ignores conditions: the last writer wins");
    assert.equal(info.stored?.generation, 2);
  });

  it(`leave one whole archive of ${saverCount} processes that save one key at once`, async (t) => {
    const { place, server, startDaemon } = await setUp(t);
    const daemons = await Promise.all(Array.from({ length: daemonCount }, startDaemon));
    const clients = startClients(t, saverCount);
    const results = await saveAtOnce(clients, daemons, place.allowed);
    const winners = results.flatMap(({ status }, version) =>
      status === "success" ? [version] : [],
    );
    for (const { status } of results) assert.match(status, /^(success|skipped)$/);
    assert.ok(winners.length >= 1 && winners.length <= daemonCount, `${winners} won`);
    assert.equal((await listKeys(server)).length, 1);
    const localDir = join(place.allowed, "loaded");
    await (await startDaemon()).client.load({ environment, localDir });
    assert.ok(winners.includes(versionIn(localDir)));
  });

  it("load one whole version each time while others replace it", async (t) => {
    const { place, startDaemon } = await setUp(t);
    const [saver, loader] = await Promise.all([startDaemon(), startDaemon()]);
    await loadWhileReplaced(saver, loader, place.allowed);
  });
});
