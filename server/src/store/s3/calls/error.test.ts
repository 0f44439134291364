import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runsAll } from "../../../../../test/support/machine/tools.ts";
import { recordingLogger } from "../../../../../test/support/recording-logger.ts";
import { startScriptedS3 } from "../../../../../test/support/s3/scripted-s3.ts";
import {
  credentials,
  failsWith,
  name,
  openScriptedStore,
} from "../../../../../test/support/s3/scripted-store.ts";
import type { Reason } from "../../../domain/cache-error.ts";
import { createS3Store } from "../store.ts";

describe("a store that refuses", { concurrency: true }, () => {
  for (const [error, reason, message] of [
    [[403, "AccessDenied"], "STORE_UNAVAILABLE", /refused the credentials \(AccessDenied\)/],
    [[403, "InvalidAccessKeyId"], "STORE_UNAVAILABLE", /credentials \(InvalidAccessKeyId\)/],
    [[404, "NoSuchBucket"], "STORE_UNAVAILABLE", /there is no bucket scripted/],
    [[507, "InsufficientStorage"], "INSUFFICIENT_SPACE", /is full/],
    [[507, "XMinioStorageFull"], "INSUFFICIENT_SPACE", /is full/],
    [[403, "QuotaExceeded"], "INSUFFICIENT_SPACE", /is full/],
  ] as [[number, string], Reason, RegExp][])
    it(`with ${error.join(" ")} is ${reason}`, async (t) => {
      const { s3, store } = await openScriptedStore(t);
      s3.script = () => ({ error });
      await assert.rejects(store.open(name), failsWith(reason, message));
      await assert.rejects(store.list(undefined), failsWith(reason, message));
      const writer = await store.create(name);
      await writer.write(Buffer.alloc(10));
      await assert.rejects(writer.commit("replace"), failsWith(reason, message));
    });
});

it("a store that asks to slow down is asked several times, then unavailable", async (t) => {
  const { s3, store, operations } = await openScriptedStore(t);
  s3.script = () => ({ error: [503, "SlowDown"] });
  const isRefused = failsWith("STORE_UNAVAILABLE", /SlowDown \(503\)/);
  await assert.rejects(store.list(undefined), isRefused);
  assert.ok(operations().filter((operation) => operation === "ListObjectsV2").length > 2);
  // A look is worth more tries, for 15 s.
  if (runsAll) await assert.rejects(store.open(name), isRefused);
});

describe("a store that cannot be reached", () => {
  const storeAt = (endpoint: string, bucket = "bucket") =>
    createS3Store({
      bucket,
      prefix: "",
      logger: recordingLogger([]),
      server: { endpoint, credentials },
    });

  it("because nothing listens is unavailable after some tries", async (t) => {
    const s3 = await startScriptedS3(t);
    const store = await storeAt(s3.endpoint);
    const { port } = new URL(s3.endpoint);
    const free = await storeAt(`http://127.0.0.1:${Number(port) === 1 ? 2 : 1}`);
    await assert.rejects(free.open(name), failsWith("STORE_UNAVAILABLE", /reached: ECONNREFUSED/));
    await assert.rejects(store.open(name), failsWith("STORE_UNAVAILABLE", /no bucket bucket/));
  });

  it("because its host has no address is unavailable", async () => {
    const store = await storeAt("http://no-such-host.invalid");
    await assert.rejects(store.open(name), failsWith("STORE_UNAVAILABLE", /cannot be reached/));
  });
});
