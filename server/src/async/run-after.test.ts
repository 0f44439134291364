import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { runAfter } from "./run-after.ts";

const dayMs = 24 * 3_600_000;

describe("runAfter", () => {
  it("waits for longer than a timer can", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    for (const days of [0.001, 24, 25, 30, 100]) {
      const work = mock.fn();
      runAfter(days * dayMs, work);
      for (let day = 1; day <= days; day += 1) t.mock.timers.tick(dayMs - 1);
      assert.equal(work.mock.callCount(), 0, `${days} days`);
      t.mock.timers.tick(10 * dayMs);
      assert.equal(work.mock.callCount(), 1, `${days} days`);
    }
  });

  it("does nothing once it is called off", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const work = mock.fn();
    const callOff = runAfter(30 * dayMs, work);
    t.mock.timers.tick(29 * dayMs);
    callOff();
    t.mock.timers.tick(29 * dayMs);
    assert.equal(work.mock.callCount(), 0);
  });
});
