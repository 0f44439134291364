import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CacheServiceService } from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import { call, failureOf } from "../../support/client/service-client.ts";
import { FakeTransfer, fakeOperations } from "../../support/daemon/fake-operations.ts";
import { serve } from "../../support/daemon/served-operations.ts";

type UnaryName = Exclude<keyof typeof CacheServiceService, "watchTransfer">;
const reading: UnaryName[] = ["load", "getTransfer", "listTransfers", "getCacheInfo", "listCaches"];
const writing: UnaryName[] = [
  "save",
  "deleteCache",
  "clearLocalCache",
  "startTransfer",
  "cancelTransfer",
];
const bearer = (token: string) => ({ metadata: { authorization: `Bearer ${token}` } });
// The fake's bug, or a violation, shows that the call was admitted.
const admitted = new Set([13, 3]);

describe("tokens", () => {
  test("allow what the right of the token that is shown allows", async (t) => {
    const { client } = await serve(t, fakeOperations({}), { tokens: "read r\nwrite w" });
    for (const name of [...reading, ...writing]) {
      const anonymous = await failureOf(call(client, name));
      assert.equal(anonymous.code, 16, name);
      assert.equal(anonymous.info?.reason, "UNAUTHENTICATED");
      assert.equal((await failureOf(call(client, name, {}, bearer("wrong")))).code, 16);
      assert.ok(admitted.has((await failureOf(call(client, name, {}, bearer("w")))).code), name);
    }
    for (const name of reading)
      assert.ok(admitted.has((await failureOf(call(client, name, {}, bearer("r")))).code), name);
    for (const name of writing) {
      const forbidden = await failureOf(call(client, name, {}, bearer("r")));
      assert.equal(forbidden.code, 7, name);
      assert.equal(forbidden.info?.reason, "FORBIDDEN");
    }
  });

  test("guard WatchTransfer, too", async (t) => {
    const transfer = new FakeTransfer({ status: "SUCCESS" });
    const operations = fakeOperations({ getTransfer: () => transfer });
    const { client } = await serve(t, operations, { tokens: "read r" });
    const stream = client.watchTransfer({ operationId: "op-1" });
    const failure = await failureOf(stream.toArray());
    assert.equal(failure.code, 16);
  });
});
