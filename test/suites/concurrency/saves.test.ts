import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { startClients } from "../../support/client/client-processes.ts";
import { saveAtOnce } from "../../support/client/save-at-once.ts";
import {
  createTestPlace,
  environment,
  namesIn,
  type TestPlace,
} from "../../support/daemon/daemons.ts";
import { versionIn } from "../../support/trees/versions.ts";

const saverCount = 32;

describe("32 processes that save the same key at once", () => {
  const clients = startClients({ after }, saverCount);

  /** Each saves a version of its own, all at once, through the daemons in turn. */
  async function saveAll(
    place: TestPlace,
    daemonCount: number,
    ifStoredExists: "skip" | "replace",
  ) {
    const starting = Array.from({ length: daemonCount }, () => place.startDaemon());
    const daemons = await Promise.all(starting);
    const results = await saveAtOnce(clients, daemons, place.allowed, ifStoredExists);

    // What counts is what a daemon that took no part finds.
    const { client } = await place.startDaemon();
    const localDir = join(place.allowed, "loaded");
    const { status } = await client.load({ environment, localDir });
    assert.equal(status, "success");
    return { results, version: versionIn(localDir) };
  }

  for (const daemonCount of [1, 4]) {
    it(`leave the one archive of the first, through ${daemonCount} daemon(s)`, async (t) => {
      const place = await createTestPlace(t);
      const { results, version } = await saveAll(place, daemonCount, "skip");
      const winners = results.filter(({ status }) => status === "success");
      assert.equal(winners.length, 1);
      assert.equal(results.indexOf(winners[0] as (typeof results)[0]), version);
      for (const { status, cache } of results) {
        assert.match(status, /^(success|skipped)$/);
        assert.deepEqual(cache, winners[0]?.cache);
      }
      assert.deepEqual(namesIn(join(place.store, "default")), [winners[0]?.cache?.filename]);
    });
  }

  it("each replace the archive whole where they ask for that, through 4 daemons", async (t) => {
    const place = await createTestPlace(t);
    const { results } = await saveAll(place, 4, "replace");
    for (const { status } of results) assert.equal(status, "success");
    assert.deepEqual(namesIn(join(place.store, "default")), [results[0]?.cache?.filename]);
  });
});
