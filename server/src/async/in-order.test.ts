import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { inOrder } from "./in-order.ts";

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

describe("inOrder", () => {
  it("gives results in the order of the items, with no more under way than it may", async () => {
    let underWay = 0;
    let most = 0;
    const map = async (n: number) => {
      underWay += 1;
      most = Math.max(most, underWay);
      for (let turns = (7 * n) % 5; turns > 0; turns--) await turn();
      underWay -= 1;
      return n * 10;
    };
    const items = Array.from({ length: 30 }, (_, n) => n);
    assert.deepEqual(
      await collect(inOrder(items, 4, map)),
      items.map((n) => n * 10),
    );
    assert.equal(most, 4);
    assert.deepEqual(await collect(inOrder([], 4, map)), []);
  });

  it("takes no further items after a failure, and ends when all under way has ended", async () => {
    const started: number[] = [];
    const ended: number[] = [];
    const map = async (n: number) => {
      started.push(n);
      for (let turns = 3 * n; turns > 0; turns--) await turn();
      ended.push(n);
      if (n === 1) throw new Error("failed");
      return n;
    };
    const got: number[] = [];
    const reading = (async () => {
      for await (const n of inOrder([0, 1, 2, 3, 4, 5, 6, 7], 3, map)) got.push(n);
    })();
    await assert.rejects(reading, /failed/);
    assert.deepEqual(got, [0]);
    assert.deepEqual(started, [0, 1, 2, 3]);
    assert.deepEqual(ended, started);
  });

  it("ends all under way when nobody wants the rest", async () => {
    let underWay = 0;
    const map = async (n: number) => {
      underWay += 1;
      for (let turns = 10; turns > 0; turns--) await turn();
      underWay -= 1;
      if (n > 0) throw new Error("nobody hears this");
      return n;
    };
    for await (const n of inOrder([0, 1, 2, 3, 4], 3, map)) {
      assert.equal(n, 0);
      break;
    }
    assert.equal(underWay, 0);
  });
});
