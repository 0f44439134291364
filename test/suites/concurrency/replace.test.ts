import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { startClients } from "../../support/client/client-processes.ts";
import { createTestPlace, environment, namesIn } from "../../support/daemon/daemons.ts";
import { patienceMs } from "../../support/eventually.ts";
import { versionIn, writeVersion } from "../../support/trees/versions.ts";

const saverCount = 3;
const loaderCount = 5;
const roundsOfEach = 12;

it("loads one whole version each time while processes replace the archive", async (t) => {
  const place = await createTestPlace(t);
  const daemons = await Promise.all([place.startDaemon(), place.startDaemon()]);
  const clients = startClients(t, saverCount + loaderCount);
  const addressOf = (n: number) => (daemons[n % daemons.length] as { address: string }).address;
  const versionDir = (version: number) => join(place.allowed, `version-${version}`);
  for (let version = 0; version < saverCount; version++) writeVersion(versionDir(version), version);
  await daemons[0].client.save({ environment, localDir: versionDir(0) });

  const seen = new Set<number>();
  const raced = () => seen.size > 1;
  let loaders = loaderCount;
  const giveUpAt = performance.now() + patienceMs;
  const work = clients.map(async (client, n) => {
    // However the machine divides its time, the loads go on until they have seen the saves.
    const hasMore = (round: number) =>
      round < roundsOfEach || (n < saverCount ? loaders > 0 : !raced());
    for (let round = 0; hasMore(round); round++) {
      assert.ok(performance.now() < giveUpAt || raced(), "the loads saw no version but one");
      const address = addressOf(n + round);
      if (n < saverCount) {
        const localDir = versionDir(n);
        const { status } = await client.save(address, {
          environment,
          localDir,
          ifStoredExists: "replace",
        });
        assert.equal(status, "success");
      } else {
        const localDir = join(place.allowed, `loader-${n}`);
        const { status } = await client.load(address, { environment, localDir });
        assert.equal(status, "success");
        seen.add(versionIn(localDir));
        rmSync(localDir, { recursive: true });
      }
    }
    if (n >= saverCount) loaders -= 1;
  });
  await Promise.all(work);

  assert.deepEqual(
    namesIn(join(place.store, "default")).filter((name) => name.startsWith(".")),
    [],
  );
});
