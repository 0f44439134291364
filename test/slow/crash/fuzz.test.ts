import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFlowBench } from "../../support/flow-bench.ts";
import { loadMutated } from "../../support/fuzz/load-mutated.ts";

const tries = Number(process.env.FUZZ_TRIES ?? 10_000);
const firstSeed = Number(process.env.FUZZ_SEED ?? 1);

/** What the main thread may compute at a stretch, and the process hold. */
const longestStretchMs = 100;
const mostBytes = 1024 * 1024 * 1024;

describe("archives that were changed at random", { concurrency: 2 }, () => {
  for (const seed of [firstSeed, firstSeed + 1])
    it(`load or are refused, whatever was changed: ${tries / 2} from seed ${seed}`, async (t) => {
      t.mock.method(Math, "random", () => 0);
      const tally = await loadMutated(
        await createFlowBench(t, { workerIdleMs: 10_000 }),
        seed,
        tries / 2,
      );
      console.log(JSON.stringify(tally));
      assert.equal(tally.tries, tries / 2);
      assert.ok(tally.longestStretchMs < longestStretchMs, `${tally.longestStretchMs} ms at once`);
      assert.ok(tally.peakBytes < mostBytes, `the process held ${tally.peakBytes} bytes`);
    });
});
