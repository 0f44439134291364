import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CacheError } from "../../domain/cache-error.ts";
import { createArrivals } from "./arrivals.ts";

describe("createArrivals", () => {
  it("gives up a request that takes too long, and none that came", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const arrivals = createArrivals();
    const refused: CacheError[] = [];
    arrivals.begin((error) => refused.push(error)).end();
    arrivals.begin((error) => refused.push(error));
    t.mock.timers.tick(9_999);
    assert.deepEqual(refused, []);
    t.mock.timers.tick(1);
    assert.deepEqual(
      refused.map(({ reason, message }) => [reason, message]),
      [["OVERLOADED", "the request did not come whole within 10 s"]],
    );
  });

  it("gives up the oldest where too many are coming", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const arrivals = createArrivals();
    const refused: number[] = [];
    for (let n = 0; n < 1026; n++) arrivals.begin(() => refused.push(n));
    assert.deepEqual(refused, [0, 1]);
  });
});
