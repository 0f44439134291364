import assert from "node:assert/strict";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createTestPlace, environment, type TestDaemon } from "../../support/daemon/daemons.ts";
import { lacksTools, runsAll } from "../../support/machine/tools.ts";
import { listKeys } from "../../support/s3/bucket-content.ts";
import { startTestObjectServer } from "../../support/s3/object-server.ts";
import { largeVersionIn, writeLargeVersion } from "../../support/trees/large-versions.ts";

const rounds = runsAll ? 12 : 3;

describe("kill -9 in the middle of a save", { skip: lacksTools("versitygw") ?? false }, () => {
  async function setUp(t: TestContext) {
    const place = await createTestPlace(t);
    const server = await startTestObjectServer(t, "versitygw");
    const startDaemon = () => place.startDaemon(server.variables("here"));
    const [source, localDir] = [join(place.allowed, "source"), join(place.allowed, "loaded")];
    const save = ({ client }: TestDaemon) =>
      client.save({ environment, localDir: source, ifStoredExists: "replace" });
    /** The version that a load brings; undefined if the store has none. */
    const stored = async ({ client }: TestDaemon) => {
      rmSync(localDir, { recursive: true, force: true });
      const { status } = await client.load({ environment, localDir });
      assert.match(status, /^(success|does_not_exist)$/);
      return largeVersionIn(localDir);
    };
    return { server, startDaemon, source, save, stored };
  }

  for (const victim of ["daemon", "object server"])
    it(`of the ${victim} leaves the old archive or the new one`, async (t) => {
      const { server, startDaemon, source, save, stored } = await setUp(t);
      let daemon = await startDaemon();
      writeLargeVersion(source, 0);
      // The first save shows how long one takes.
      const startedAt = Date.now();
      await save(daemon);
      const saveMs = Date.now() - startedAt;
      let current: number | undefined = 0;
      const outcomes = { old: 0, new: 0 };
      let last = 0;
      // A busy machine may let each save go on after the kill: then there are more rounds.
      const goesOn = () => last < rounds || (runsAll && outcomes.old === 0 && last < 5 * rounds);
      while (goesOn()) {
        last += 1;
        const round = last;
        writeLargeVersion(source, round);
        const saving = save(daemon).then(
          ({ status }) => status,
          () => "failed",
        );
        await pause((saveMs * 1.2 * (1 + ((round - 1) % rounds))) / rounds);
        if (victim === "daemon") {
          daemon.child.kill("SIGKILL");
          await once(daemon.child, "exit");
        } else {
          await server.kill("SIGKILL");
          await pause(200);
          await server.restart();
        }
        const said = await saving;
        if (victim === "daemon") daemon = await startDaemon();
        const there = await stored(daemon);
        if (said === "success") assert.equal(there, round, "an acknowledged archive is lost");
        else assert.ok(there === current || there === round, `found ${there} in round ${round}`);
        outcomes[there === round ? "new" : "old"] += 1;
        current = there;
        assert.deepEqual(
          (await listKeys(server)).filter((key) => /\/\.cache/.test(key)),
          [],
        );
      }
      assert.ok(outcomes.old > 0 || !runsAll, "no kill came before a commit");
      assert.equal((await save(daemon)).status, "success");
      assert.equal(await stored(daemon), last);
    });
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
