import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { describe, type TestContext, test } from "node:test";
import { call, failureOf } from "../../support/client/service-client.ts";
import { environment, startTestDaemon } from "../../support/daemon/daemon-in-process.ts";

/** The fields that a call is refused for, in the order of the answer. */
async function fieldsOf(running: Promise<unknown>): Promise<string[]> {
  const { code, info, message, violations } = await failureOf(running);
  assert.equal(code, 3);
  assert.equal(info?.reason, "INVALID_REQUEST");
  for (const { field, description } of violations)
    assert.ok(message.includes(`${field}: ${description}`), message);
  return violations.map(({ field }) => field);
}

const wrongTarget = {
  namespace: "../x",
  environment: { ...environment, torchVersion: "", cudaVersion: "12.1", extra: { CUDA: "1" } },
  localDir: "relative",
};
const wrongEnvironmentFields = [
  "environment.torch_version",
  "environment.compute_capability",
  'environment.extra["CUDA"]',
];
const wrongTargetFields = ["namespace", ...wrongEnvironmentFields, "local_dir"];
const wrongPage = { pageSize: 1001, pageToken: "?" };

async function client(t: TestContext) {
  return (await startTestDaemon(t)).client;
}

describe("a request that is wrong in several fields is refused for all of them:", () => {
  test("Load", async (t) => {
    const load = call(await client(t), "load", { ...wrongTarget, ifLocalExists: 9 as 1 });
    assert.deepEqual(await fieldsOf(load), [...wrongTargetFields, "if_local_exists"]);
  });

  test("Save", async (t) => {
    const request = { ...wrongTarget, ifStoredExists: 9 as 1, profile: "none" };
    const save = call(await client(t), "save", request);
    assert.deepEqual(await fieldsOf(save), [...wrongTargetFields, "if_stored_exists", "profile"]);
  });

  test("GetCacheInfo", async (t) => {
    const info = call(await client(t), "getCacheInfo", wrongTarget);
    assert.deepEqual(await fieldsOf(info), wrongTargetFields);
  });

  test("ListCaches", async (t) => {
    const { namespace, environment } = wrongTarget;
    const list = call(await client(t), "listCaches", { namespace, environment, ...wrongPage });
    assert.deepEqual(await fieldsOf(list), [
      "namespace",
      ...wrongEnvironmentFields,
      "page_size",
      "page_token",
    ]);
  });

  test("ListTransfers", async (t) => {
    const list = call(await client(t), "listTransfers", wrongPage);
    assert.deepEqual(await fieldsOf(list), ["page_size", "page_token"]);
  });

  test("DeleteCache", async (t) => {
    const request = { namespace: "..", cacheKey: "xyz" };
    const remove = call(await client(t), "deleteCache", request);
    assert.deepEqual(await fieldsOf(remove), ["namespace", "cache_key"]);
  });

  test("StartTransfer", async (t) => {
    const { client, dir } = await startTestDaemon(t);
    const operationName = "two\nlines";
    const start = call(client, "startTransfer", { operationName });
    assert.deepEqual(await fieldsOf(start), ["source", "destination", "operation_name"]);
    mkdirSync(`${dir}/work`);
    const overlapping = { source: `${dir}/work`, destination: `${dir}/work/x`, operationName };
    assert.deepEqual(await fieldsOf(call(client, "startTransfer", overlapping)), [
      "destination",
      "operation_name",
    ]);
  });
});

describe("a request without an environment", () => {
  test("is refused for its other fields, too", async (t) => {
    const connected = await client(t);
    for (const name of ["load", "save", "getCacheInfo"] as const)
      assert.deepEqual(await fieldsOf(call(connected, name, { namespace: "../x" })), [
        "namespace",
        "environment",
      ]);
  });
});

describe("a request that is malformed and names a path that is not allowed", () => {
  test("is refused for what is malformed", async (t) => {
    const { client, dir } = await startTestDaemon(t);
    const load = { ...wrongTarget, localDir: "/etc" };
    assert.deepEqual(await fieldsOf(call(client, "load", load)), wrongTargetFields.slice(0, -1));
    const intoStore = { source: "a", destination: `${dir}/store/x` };
    assert.deepEqual(await fieldsOf(call(client, "startTransfer", intoStore)), ["source"]);
  });
});
