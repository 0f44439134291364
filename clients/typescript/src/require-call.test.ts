import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import {
  collect,
  connect,
  environment,
  failureOf,
  temporaryDirectory,
} from "../../../test/support/client/scripted-service.ts";
import { GetCacheInfoResponse as CacheInfo } from "../gen/compilecache/v1/cache_service.ts";
import { type CacheClient, CacheServiceError, createCacheClient } from "./index.ts";

const never = () => assert.fail("the daemon was called");
const silent = {
  load: never,
  save: never,
  watchTransfer: never,
  startTransfer: never,
  getTransfer: never,
  listTransfers: never,
  cancelTransfer: never,
  getCacheInfo: never,
  listCaches: never,
  deleteCache: never,
  clearLocalCache: never,
};

// As code without types calls it.
// biome-ignore lint/suspicious/noExplicitAny: that is what such code has.
type Untyped = Record<keyof CacheClient, any>;

describe("an environment", () => {
  const wrong: [string, unknown, RegExp][] = [
    ["none", undefined, /^environment: is required, such as \{ torchVersion/],
    ["null", null, /^environment: is required/],
    [
      "a cache key",
      "ac97104c4232",
      /^environment: "ac97104c4232" is no environment but text; of a/,
    ],
    ["an array", [], /^environment: an array is no environment, which is an object such as/],
    ["an empty one", {}, /^environment\.torchVersion: is required, for example "2\.11\.0"$/],
    ["null within", { torchVersion: null }, /^environment\.torchVersion: is required/],
    ["a number", { torchVersion: 2.11 }, /^environment\.torchVersion: 2\.11 is no text$/],
    [
      "snake case",
      { torch_version: "2.11.0" },
      /^environment\.torch_version: is not known here; did you mean torchVersion$/,
    ],
    [
      "snake case besides",
      { torchVersion: "2.11.0", cuda_version: "13.0", labels: {} },
      /^environment\.cuda_version: .* cudaVersion; environment\.labels: .*; known are torchVersion, /,
    ],
    [
      "a label without a value",
      { torchVersion: "2.11.0", extra: { py: undefined } },
      /^environment\.extra\["py"\]: undefined is no text$/,
    ],
    [
      "no labels",
      { torchVersion: "2.11.0", extra: "py" },
      /^environment\.extra: "py" is no object/,
    ],
    [
      "a whole report",
      { environment: { torch_version: "2.11.0" } },
      /^environment: holds an environment and more; environmentFromJson takes/,
    ],
  ];
  for (const [name, given, words] of wrong)
    it(`is refused before any call: ${name}`, async () => {
      const client = (await connect(silent)) as Untyped;
      const localDir = temporaryDirectory();
      for (const method of ["load", "save", "getCacheInfo"] as const) {
        const error = await failureOf(client[method]({ environment: given, localDir }));
        assert.deepEqual([error.code, error.reason], ["INVALID_ARGUMENT", "INVALID_REQUEST"]);
        assert.match(error.message, words);
      }
    });
});

describe("a call of code without types", () => {
  const at = { environment };
  const calls: [string, (client: Untyped) => Promise<unknown>, RegExp][] = [
    ["load()", (client) => client.load(), /^environment: is required/],
    ["load({})", (client) => client.load({}), /^environment: is required/],
    ["load(null)", (client) => client.load(null), /^input: null is no object; give one/],
    [
      "load({cacheKey})",
      (client) => client.load({ cacheKey: "ac97104c4232" }),
      /^environment: is required.*list the caches and give the environment .*load --key/,
    ],
    [
      "a URL",
      (client) => client.load({ ...at, localDir: pathToFileURL("/x") }),
      /^localDir: a value of URL is no path; .*fileURLToPath/,
    ],
    [
      "a name in snake case",
      (client) => client.save({ ...at, local_dir: "/x" }),
      /^local_dir: is not known here; did you mean localDir$/,
    ],
    [
      "detach",
      (client) => client.save({ ...at, detach: "no" }),
      /^detach: "no" is neither true nor/,
    ],
    [
      "a policy",
      (client) => client.save({ ...at, ifStoredExists: 3 }),
      /^ifStoredExists: 3 is none/,
    ],
    [
      "a controller",
      (client) => client.load(at, { signal: new AbortController() }),
      /^signal: a value of AbortController is no AbortSignal; give the signal/,
    ],
    ["onStarted", (client) => client.load(at, { onStarted: 1 }), /^onStarted: 1 is no function$/],
    ["options", (client) => client.listCaches({}, 5), /^options: 5 is no object/],
    ["getCacheInfo({})", (client) => client.getCacheInfo({}), /^environment: is required/],
    [
      "startTransfer({})",
      (client) => client.startTransfer({}),
      /^source: is required, the path .*; destination: is required/,
    ],
    ["pageSize", (client) => client.listCaches({ pageSize: 1.5 }), /^pageSize: 1\.5 is no whole/],
    ["pageSize", (client) => client.listTransfers({ pageSize: 1e300 }), /^pageSize: 1e\+300 is no/],
    [
      "allCaches",
      (client) => collect(client.allCaches({ namespace: 1 })),
      /^namespace: 1 is no text/,
    ],
    ["getTransfer()", (client) => client.getTransfer(), /^operationId: is required/],
    ["cancelTransfer(7)", (client) => client.cancelTransfer(7), /^operationId: 7 is no text/],
    ["watch()", (client) => collect(client.watch()), /^operationId: is required/],
    ["deleteCache({})", (client) => client.deleteCache({}), /^cacheKey: is required, for example/],
    ["clearLocalCache", (client) => client.clearLocalCache({ localDir: 1 }), /^localDir: 1 is no/],
  ];
  for (const [name, make, words] of calls)
    it(`fails as calls fail, by what is wrong: ${name}`, async () => {
      const error = await failureOf(make((await connect(silent)) as Untyped));
      assert.deepEqual([error.code, error.reason], ["INVALID_ARGUMENT", "INVALID_REQUEST"]);
      assert.match(error.message, words);
    });

  it("makes no client of what are no options, and shows no token", () => {
    const wrong: [unknown, RegExp][] = [
      ["unix:/s", /^options: "unix:\/s" is no object; give one such as \{ address/],
      [{ address: 9400 }, /^address: 9400 is no text$/],
      [{ address: "unix:/s", name_space: "n" }, /^name_space: .* did you mean namespace$/],
      [{ address: "unix:/s", token: 5_432_100 }, /^token: an object is no text$/],
      [{ address: "unix:/s", tls: {} }, /^tls\.ca: is required, a file of certificates/],
    ];
    for (const [options, message] of wrong)
      assert.throws(
        () => createCacheClient(options as object),
        (error) => error instanceof CacheServiceError && message.test(error.message),
        String(message),
      );
  });

  it("takes null where a part may be left out, and more than it knows", async () => {
    const client = (await connect({
      listCaches: (_call, reply) => reply(null, { caches: [], nextPageToken: "" }),
      getCacheInfo: (_call, reply) => reply(null, CacheInfo.fromPartial({})),
    })) as Untyped;
    await client.listCaches(
      { namespace: null, environment: null, another: 1 },
      { signal: null, timeoutMs: null },
    );
    const none = { cudaVersion: null, computeCapability: null, tritonVersion: null, extra: null };
    await client.getCacheInfo({ environment: { ...environment, ...none }, localDir: null });
  });
});
