import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { leavesOut } from "../../support/machine/tools.ts";
import { answerFaults } from "../../support/s3/answer-faults.ts";
import { combinationsOf, createFaultyWork, deeds } from "../../support/s3/faulty-work.ts";
import { objectServerForSuite } from "../../support/s3/object-server.ts";

/** So many at once: most of the time goes by in pauses between attempts. */
const atOnce = 8;
/** All take half an hour (`npm run test:answers`); with the other tests of stores goes one in so many. */
const oneIn = process.env.ALL_ANSWERS ? 1 : 30;

describe("an object server that answers wrongly", {
  skip: leavesOut("versitygw") ?? false,
}, () => {
  const server = objectServerForSuite("versitygw");

  for (const [size, bytes, done] of [
    ["in one request", 60_000, deeds],
    // The other deeds make the same calls as with a small one.
    ["in parts", 6_000_000, ["load", "save", "refresh"]],
  ] as const)
    for (const deed of done)
      it(`loses nothing and says nothing false: ${deed}, an archive ${size}`, async (t) => {
        const works = await Promise.all(
          Array.from({ length: atOnce }, (_, n) =>
            createFaultyWork(t, server(), `${deed}-${bytes}-${n}`, bytes),
          ),
        );
        const calls = (await works[0]?.callsOf(deed)) ?? new Map();
        const all = combinationsOf(deed, calls);
        // Shifted from call to call, so that over all calls each fault is among them.
        const queue = all.filter((_, n) => (n + Math.floor(n / answerFaults.length)) % oneIn === 0);
        const wrong: unknown[] = [];
        let tried = 0;
        await Promise.all(
          works.map(async (work) => {
            for (let next = queue.pop(); next; next = queue.pop())
              try {
                if (await work.try(next)) tried += 1;
              } catch (error) {
                wrong.push(error);
              }
          }),
        );
        assert.deepEqual(wrong, []);
        assert.ok(
          tried >= answerFaults.length / oneIn / 2,
          `only ${tried} combinations were tried`,
        );
        t.diagnostic(`${tried} combinations of fault and call, ${JSON.stringify([...calls])}`);
      });
});
