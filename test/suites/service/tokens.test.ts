import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { describe, type TestContext, test } from "node:test";
import {
  type CacheServiceService,
  IfLocalExists,
} from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import { LoadStatus } from "compilecache-client/gen/compilecache/v1/transfer.ts";
import { call, failureOf, tempDir } from "../../support/client/service-client.ts";
import { startTestDaemon } from "../../support/daemon/daemon-in-process.ts";
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
const requestFor = (name: UnaryName) => (name === "cancelTransfer" ? { operationId: "none" } : {});
const bearer = (token: string) => ({ metadata: { authorization: `Bearer ${token}` } });

async function startWithTokens(t: TestContext, lines: string) {
  const file = `${await tempDir(t)}/tokens`;
  writeFileSync(file, lines);
  return startTestDaemon(t, { tokens: file });
}

describe("tokens", () => {
  test("allow what the right of the token that is shown allows", async (t) => {
    const { client } = await startWithTokens(t, "read r\nwrite w");
    // An empty request is malformed, or about nothing that is there, for who is admitted.
    const answerFor = async (name: UnaryName, token: string) =>
      call(client, name, requestFor(name), bearer(token)).then(
        () => "admitted",
        ({ code }) => ({ 3: "admitted", 5: "admitted" })[code as 3 | 5] ?? code,
      );
    for (const name of [...reading, ...writing]) {
      const anonymous = await failureOf(call(client, name));
      assert.equal(anonymous.code, 16, name);
      assert.equal(anonymous.info?.reason, "UNAUTHENTICATED");
      assert.equal(await answerFor(name, "wrong"), 16);
      assert.equal(await answerFor(name, "w"), "admitted", name);
    }
    for (const name of reading) assert.equal(await answerFor(name, "r"), "admitted", name);
    for (const name of writing) {
      const forbidden = await failureOf(call(client, name, requestFor(name), bearer("r")));
      assert.equal(forbidden.code, 7, name);
      assert.equal(forbidden.info?.reason, "FORBIDDEN");
    }
  });

  test("that may read only remove no file of a local directory", async (t) => {
    const { client, localDir } = await startWithTokens(t, "read r");
    const environment = { torchVersion: "2.1.0", cudaVersion: "", computeCapability: "" };
    const target = { localDir, environment: { ...environment, tritonVersion: "", extra: {} } };
    const loadWith = (ifLocalExists: IfLocalExists) =>
      call(client, "load", { ...target, ifLocalExists }, bearer("r"));
    const { IF_LOCAL_EXISTS_MERGE, IF_LOCAL_EXISTS_REPLACE } = IfLocalExists;
    const refused = await failureOf(loadWith(IF_LOCAL_EXISTS_REPLACE));
    assert.equal(refused.info?.reason, "FORBIDDEN");
    const { status } = await loadWith(IF_LOCAL_EXISTS_MERGE);
    assert.equal(status, LoadStatus.LOAD_STATUS_DOES_NOT_EXIST);
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
