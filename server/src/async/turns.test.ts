import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextRound } from "node:timers/promises";
import { createTurns } from "./turns.ts";

describe("createTurns", () => {
  it("begins one piece in a round of the loop, of each owner in turn", async () => {
    const turns = createTurns();
    const begun: string[] = [];
    const [one, other] = [{}, {}];
    for (const name of ["a1", "a2", "a3"]) turns.take(one, () => begun.push(name));
    turns.take(other, () => begun.push("b1"));
    const rounds: number[] = [];
    while (begun.length < 4) {
      await nextRound();
      rounds.push(begun.length);
    }
    assert.deepEqual(begun, ["a1", "b1", "a2", "a3"]);
    assert.deepEqual(rounds, [1, 2, 3, 4]);
  });

  it("goes on after a pause, and when work takes another turn", async () => {
    const turns = createTurns();
    const begun: string[] = [];
    const owner = {};
    turns.take(owner, () => {
      begun.push("first");
      turns.take(owner, () => begun.push("second"));
    });
    while (begun.length < 2) await nextRound();
    await nextRound();
    turns.take(owner, () => begun.push("third"));
    while (begun.length < 3) await nextRound();
    assert.deepEqual(begun, ["first", "second", "third"]);
  });
});
