import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  combinationsOf,
  createFaultyWork,
  deeds,
} from "../../../../test/support/s3/faulty-work.ts";
import { startScriptedS3 } from "../../../../test/support/s3/scripted-s3.ts";
import { credentials } from "../../../../test/support/s3/scripted-store.ts";

/** One in so many is tried here; test/slow/stores tries all, on a real server. */
const share = 89;

/** Refusals that the client repeats, with pauses that grow. */
const isSlow = /429|409|412|50\d|not one|broken|cut short/;

describe("an object server that answers wrongly", () => {
  it("loses nothing, and has nobody say what is false", async (t) => {
    const { endpoint, bucket } = await startScriptedS3(t);
    const backend = {
      port: Number(new URL(endpoint).port),
      bucket,
      server: { endpoint, credentials },
    };
    const work = await createFaultyWork(t, backend, "faulty", 60_000);
    let tried = 0;
    let n = 0;
    for (const deed of deeds)
      for (const combination of combinationsOf(deed, await work.callsOf(deed)))
        if (combination.call !== "every" || !isSlow.test(combination.fault.name))
          if (n++ % share === 0 && (await work.try(combination))) tried += 1;
    assert.ok(tried >= 20, `only ${tried} combinations were tried`);
    t.diagnostic(`${tried} combinations of fault and call`);
  });
});
