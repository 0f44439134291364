import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { startAttackedDaemon } from "../../support/attack/attacked-daemon.ts";
import { attacks } from "../../support/attack/attacks.ts";
import { targetOf } from "../../support/attack/peer.ts";
import { sendMutated } from "../../support/attack/send-mutated.ts";

const attackMs = 1_500;
const mostMiB = 640;
const mutatedRequests = 10_000;

async function attackedDaemon(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), "cc-attacked-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const attacked = await startAttackedDaemon(dir, { descriptors: 512, history: 1000 });
  t.after(() => attacked.end());
  return attacked;
}

/** For docs/reliability.md: the stall is measured, not asserted, for the machine may be busy. */
function report(t: TestContext, aftermath: Record<string, unknown>): void {
  const rounded = Object.entries(aftermath).map(([name, value]) => {
    return `${name} ${typeof value === "number" ? Math.round(value) : value}`;
  });
  t.diagnostic(rounded.join(", "));
}

describe("a daemon serves others while a client attacks it, and recovers", () => {
  for (const attack of Object.keys(attacks))
    it(attack, async (t) => {
      const attacked = await attackedDaemon(t);
      const aftermath = await attacked.attackedBy(attack, attackMs);
      report(t, { ...aftermath, refused: aftermath.refused.length });
      assert.ok(aftermath.alive, attacked.daemon.output());
      assert.deepEqual(aftermath.refused, []);
      assert.ok(aftermath.served > 0 && aftermath.recovered);
      assert.ok(aftermath.peakMiB < mostMiB, `${aftermath.peakMiB} MiB`);
    });

  it(`${mutatedRequests} mutated requests`, async (t) => {
    const attacked = await attackedDaemon(t);
    await sendMutated(targetOf(attacked.address), 0, mutatedRequests);
    const aftermath = await attacked.attackedBy("a preface, and no request", attackMs);
    report(t, { ...aftermath, refused: aftermath.refused.length });
    assert.ok(aftermath.alive && aftermath.recovered, attacked.daemon.output());
    assert.ok(aftermath.peakMiB < mostMiB, `${aftermath.peakMiB} MiB`);
    const bugs = attacked.daemon.lines.filter(({ level }) => level === "error");
    assert.deepEqual(bugs, []);
    // Nothing that a caller sent, a token among it, is written there.
    assert.equal((await attacked.daemon.end("SIGKILL")).stderr, "");
  });
});
