import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { simulateColdStart } from "./cold-start.ts";

const cold = {
  savers: 1,
  compileS: 100,
  spread: 0,
  saveS: 2,
  archiveBytes: 30e6,
  storeBandwidth: 15e8,
};

describe("simulateColdStart", () => {
  it("has one saver save as fast as it does alone, and nobody pack in vain", () => {
    const { inVain, firstSavedS, wastedBytes } = simulateColdStart(cold);
    assert.equal(inVain, 0);
    assert.equal(wastedBytes, 0);
    assert.ok(Math.abs(firstSavedS - 2) < 1e-9);
  });

  it("has all but one pack in vain where all have compiled at the same moment", () => {
    const { inVain, firstSavedS, wastedBytes } = simulateColdStart({ ...cold, savers: 1000 });
    assert.equal(inVain, 999);
    assert.equal(wastedBytes, 999 * 30e6);
    // All share what the store takes.
    assert.ok(Math.abs(firstSavedS - (1000 * 30e6) / 15e8) < 1e-6);
  });

  it("has fewer pack in vain the less alike their times are", () => {
    const counts = [0, 0.001, 0.01, 0.1].map(
      (spread) => simulateColdStart({ ...cold, savers: 1000, spread }).inVain,
    );
    assert.deepEqual(
      counts,
      [...counts].sort((a, b) => b - a),
    );
    assert.ok((counts.at(-1) as number) < 20, `${counts}`);
  });
});
