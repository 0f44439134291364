import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it, type TestContext } from "node:test";
import { recordingLogger } from "../../../../../test/support/recording-logger.ts";
import { answerFaults } from "../../../../../test/support/s3/answer-faults.ts";
import { type PassingCall, startFaultyS3 } from "../../../../../test/support/s3/faulty-s3.ts";
import {
  combinationsOf,
  createFaultyWork,
  deeds,
} from "../../../../../test/support/s3/faulty-work.ts";
import { type ScriptedS3, startScriptedS3 } from "../../../../../test/support/s3/scripted-s3.ts";
import {
  credentials,
  failsWith,
  key,
  mebibyte,
  name,
  writeArchive,
} from "../../../../../test/support/s3/scripted-store.ts";
import { createS3Store } from "../store.ts";

/** One in so many is tried here; test/slow/stores tries all, on a real server. */
const share = 131;

describe("an object server that answers wrongly", () => {
  it("loses nothing, and has nobody say what is false", async (t) => {
    const { endpoint, bucket } = await startScriptedS3(t);
    const port = Number(new URL(endpoint).port);
    const backend = { port, bucket, server: { endpoint, credentials } };
    const work = await createFaultyWork(t, backend, "faulty", 60_000);
    let tried = 0;
    let n = 0;
    // What is wrong each time takes all the attempts of a client.
    for (const deed of deeds)
      for (const combination of combinationsOf(deed, await work.callsOf(deed)))
        if (combination.call !== "every" && n++ % share === 0 && (await work.try(combination)))
          tried += 1;
    assert.ok(tried >= 10, `only ${tried} combinations were tried`);
    t.diagnostic(`${tried} combinations of fault and call`);
  });

  for (const [fault, sentence] of [
    ["200 with a page", /answered \w+ with 200 \(text\/html\) .*not an S3 server/],
    ["answered 403 with a page", /answered 403 \(text\/html\) without an error of S3/],
    ["an empty body", /answered GetObject with 206 and 0 as Content-Length|not an S3 server/],
  ] as const)
    it(`is said to be none where it gives ${fault} to everything`, async (t) => {
      const s3 = await startScriptedS3(t);
      s3.put(key, randomBytes(mebibyte));
      const store = await storeBefore(t, s3, () => true, fault);
      const unavailable = failsWith("STORE_UNAVAILABLE", sentence);
      await assert.rejects(store.open(name), unavailable);
      await assert.rejects(store.list(undefined), unavailable);
      await assert.rejects(store.remove(name), failsWith("STORE_UNAVAILABLE", /./));
      for (const bytes of [mebibyte, 7 * mebibyte])
        for (const mode of ["create", "replace"] as const)
          await assert.rejects(
            writeArchive(store, bytes, 1, mode),
            failsWith("STORE_UNAVAILABLE", /./),
          );
    });

  it("is said to serve no ranges where it gives the whole object", async (t) => {
    const s3 = await startScriptedS3(t);
    s3.put(key, randomBytes(mebibyte));
    const isRead = ({ operation }: PassingCall) => operation === "GetObject";
    const store = await storeBefore(t, s3, isRead, "the whole object to a range");
    await assert.rejects(
      store.open(name),
      failsWith("STORE_UNAVAILABLE", /bytes=-131072 was asked for: this store serves no ranges/),
    );
  });
});

/** A store that reaches a server through a proxy with one fault. */
async function storeBefore(
  t: TestContext,
  { endpoint, bucket }: ScriptedS3,
  isWrong: (call: PassingCall) => boolean,
  name: string,
) {
  const faulty = await startFaultyS3(t, Number(new URL(endpoint).port));
  const fault = answerFaults.find((each) => each.name === name);
  assert.ok(fault);
  faulty.script = (call) => (isWrong(call) ? fault : undefined);
  const server = { endpoint: faulty.endpoint, credentials };
  return createS3Store({ bucket, prefix: "pre/fix", logger: recordingLogger([]), server });
}
