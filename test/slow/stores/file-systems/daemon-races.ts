import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startClients } from "../../../support/client/client-processes.ts";
import {
  createTestPlace,
  environment,
  namesIn,
  type TestDaemon,
} from "../../../support/daemon/daemons.ts";
import { largeVersionIn, writeLargeVersion } from "../../../support/trees/large-versions.ts";
import { versionIn, writeVersion } from "../../../support/trees/versions.ts";
import { addFiles, filesIn } from "./added-files.ts";
import type { SharedStore } from "./races.ts";

const saverCount = 32;
const daemonCount = 4;
const rounds = 6;

/** Whole daemons over one store, spread over all roots of it. */
export function testDaemons(what: string, makeStore: () => SharedStore): void {
  describe(`${what}: daemons`, () => {
    async function setUp(t: TestContext) {
      const { roots, lastWins } = makeStore();
      const place = await createTestPlace(t);
      const dir = (name: string) => join(place.allowed, name);
      const startDaemon = (n: number) =>
        place.startDaemon({ COMPILE_CACHE_STORE: `file://${roots[n % roots.length]}` });
      const startDaemons = (count: number) =>
        Promise.all(Array.from({ length: count }, (_, n) => startDaemon(n)));
      const archives = () => namesIn(join(roots[0] as string, "default"));
      const load = async ({ client }: TestDaemon, localDir = dir("loaded")) => {
        rmSync(localDir, { recursive: true, force: true });
        return client.load({ environment, localDir });
      };
      return { root: roots[0] as string, lastWins, dir, startDaemon, startDaemons, archives, load };
    }

    it(`leave one archive of ${saverCount} processes that save one key at once`, async (t) => {
      const { lastWins, dir, startDaemons, archives, load } = await setUp(t);
      const daemons = await startDaemons(daemonCount);
      const savers = startClients(t, saverCount).map((client, n) => {
        writeVersion(dir(`saver-${n}`), n);
        const { address } = daemons[n % daemonCount] as TestDaemon;
        return { client, address, localDir: dir(`saver-${n}`) };
      });
      await Promise.all(savers.map(({ client, address }) => client.connect(address)));
      const results = await Promise.all(
        savers.map(({ client, address, localDir }) =>
          client.save(address, { environment, localDir }),
        ),
      );
      const winners = results.flatMap(({ status }, n) => (status === "success" ? [n] : []));
      assert.ok(lastWins ? winners.length >= 1 : winners.length === 1, String(winners));
      const filename = results[winners[0] as number]?.cache?.filename;
      assert.deepEqual(archives(), [filename]);
      for (const daemon of daemons.slice(0, 2)) {
        assert.equal((await load(daemon)).status, "success");
        assert.ok(winners.includes(versionIn(dir("loaded"))));
      }
    });

    it("keep the union of what is refreshed at once", async (t) => {
      const { lastWins, dir, startDaemons, load } = await setUp(t);
      const daemons = await startDaemons(daemonCount);
      addFiles(dir("base"), "base", 10);
      await daemons[0]?.client.save({ environment, localDir: dir("base") });
      const saves = daemons.map(async ({ client }, n) => {
        cpSync(dir("base"), dir(`rank-${n}`), { recursive: true, preserveTimestamps: true });
        addFiles(dir(`rank-${n}`), `rank-${n}`, 4);
        const localDir = dir(`rank-${n}`);
        return client.save({ environment, localDir, ifStoredExists: "refresh" });
      });
      for (const { status } of await Promise.all(saves)) assert.equal(status, "success");
      for (const daemon of daemons.slice(0, 2)) {
        await load(daemon);
        const { length } = filesIn(dir("loaded"));
        assert.ok(lastWins ? length >= 14 : length === 10 + 4 * daemonCount, `${length} files`);
      }
    });

    it("killed with SIGKILL in a save leave the old archive or the new one", async (t) => {
      const { dir, startDaemon, load } = await setUp(t);
      const survivor = await startDaemon(1);
      const save = ({ client }: TestDaemon) =>
        client.save({ environment, localDir: dir("source"), ifStoredExists: "replace" });
      writeLargeVersion(dir("source"), 0);
      const startedAt = Date.now();
      await save(survivor);
      const saveMs = Date.now() - startedAt;
      let current: number | undefined = 0;
      for (let round = 1; round <= rounds; round++) {
        writeLargeVersion(dir("source"), round);
        const victim = await startDaemon(0);
        const saving = save(victim).then(
          ({ status }) => status,
          () => "failed",
        );
        await sleep((saveMs * 1.2 * round) / rounds);
        victim.child.kill("SIGKILL");
        await once(victim.child, "exit");
        const said = await saving;
        assert.equal((await load(survivor)).status, "success");
        const there = largeVersionIn(dir("loaded"));
        if (said === "success") assert.equal(there, round, "an acknowledged archive is lost");
        else assert.ok(there === current || there === round, `found ${there} in round ${round}`);
        current = there;
      }
      assert.equal((await save(survivor)).status, "success");
    });

    it("set a damaged archive aside, so that the next save heals the store", async (t) => {
      const { root, dir, startDaemons, archives, load } = await setUp(t);
      const [first, second] = (await startDaemons(2)) as [TestDaemon, TestDaemon];
      writeVersion(dir("source"), 1);
      const save = ({ client }: TestDaemon) =>
        client.save({ environment, localDir: dir("source") });
      const { cache } = await save(first);
      const path = join(root, "default", cache?.filename ?? "");
      const content = readFileSync(path);
      // In its first frame.
      writeFileSync(path, content.fill(0, 100, 200));
      await assert.rejects(load(second), { code: "DATA_LOSS" });
      assert.deepEqual(namesIn(dir("loaded")), []);
      assert.ok(archives().some((name) => name.endsWith(".damaged")));
      assert.equal((await load(first)).status, "does_not_exist");
      assert.equal((await save(second)).status, "success");
      assert.equal((await load(first)).status, "success");
      assert.equal(versionIn(dir("loaded")), 1);
    });
  });
}
