import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRandom } from "../../../fixtures/random.ts";
import { EventQueue } from "./event-queue.ts";

describe("EventQueue", () => {
  it("gives back in order of time what came in any order", () => {
    const queue = new EventQueue<number>();
    const random = createRandom(1);
    const times = Array.from({ length: 1000 }, () => random.below(500));
    for (const at of times) queue.push(at, at);
    const given = times.map(() => queue.pop());
    assert.deepEqual(
      given,
      times.sort((a, b) => a - b),
    );
    assert.equal(queue.nextAt, Number.POSITIVE_INFINITY);
    assert.throws(() => queue.pop());
  });
});
