import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type CacheClient, createCacheClient } from "compilecache-client";
import { callCli } from "../../support/cli/call-cli.ts";
import {
  cacheKey,
  environment,
  startTestDaemon,
  writeFiles,
} from "../../support/daemon/daemon-in-process.ts";

const { folders }: { folders: { namespace: string; folder: string }[] } = JSON.parse(
  readFileSync(new URL("../../vectors/namespaces.json", import.meta.url), "utf8"),
);
const model = "meta-llama/Llama-3.1-8B";

async function prepare(t: TestContext) {
  const daemon = await startTestDaemon(t);
  const client = createCacheClient({ address: daemon.address });
  t.after(() => client.close());
  writeFiles(daemon.localDir, 1);
  const save = (namespace: string) =>
    client.save({ environment, localDir: daemon.localDir, namespace });
  return { ...daemon, client, save };
}

/** The namespaces of all caches, one a page. */
async function listPageByPage(client: CacheClient): Promise<string[]> {
  const listed: string[] = [];
  let pageToken = "";
  do {
    const page = await client.listCaches({ pageSize: 1, pageToken });
    listed.push(...page.caches.map(({ namespace }) => namespace));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return listed;
}

describe("a namespace that is the id of a model", () => {
  it("is saved under an escaped folder, and listed, found and removed as it is", async (t) => {
    const { client, dir, localDir, save } = await prepare(t);
    for (const { namespace } of folders) {
      const { transfer, cache } = await save(` ${namespace} `);
      assert.equal(cache?.namespace, namespace);
      assert.equal(transfer.namespace, namespace);
      assert.equal(transfer.operationName, `save ${namespace}/${cacheKey}`);
    }
    assert.deepEqual(
      readdirSync(join(dir, "store")).sort(),
      folders.map(({ folder }) => folder).sort(),
    );
    const listed = await listPageByPage(client);
    assert.deepEqual(listed, folders.map(({ namespace }) => namespace).sort());

    const target = { environment, namespace: model, ifLocalExists: "replace" } as const;
    const loaded = await client.load({ ...target, localDir });
    assert.equal(loaded.status, "success");
    assert.equal((await client.getCacheInfo({ ...target, localDir })).stored?.namespace, model);
    await client.deleteCache({ namespace: model, cacheKey });
    assert.equal((await client.load({ ...target, localDir })).status, "does_not_exist");
    const other = { environment, namespace: model.toLowerCase(), localDir };
    assert.equal((await client.load({ ...other, ifLocalExists: "merge" })).status, "success");
  });

  it("is what the command line takes and shows", async (t) => {
    const { address, dir, localDir, save } = await prepare(t);
    await save(model);
    const named = ["--namespace", model];
    const at = ["--address", address];
    const of = ["--torch", "2.1.0", "--dir", localDir, ...named, ...at];
    assert.match((await callCli(["info", ...of])).stdout, new RegExp(`^cache +${model}/`, "m"));
    assert.match((await callCli(["ls", ...named, ...at])).stdout, new RegExp(`^${model} `, "m"));
    const store = ["--store", `file://${dir}/store`, ...named];
    assert.match((await callCli(["verify", ...store])).stdout, new RegExp(`${model}/cache_`));
    const gc = await callCli(["gc", ...store, "--gc-quotas", "meta-llama/*=1B", "--gc-keep", "0"]);
    assert.match(gc.stdout, new RegExp(`^planned .* ${model}/cache_`, "m"), gc.stderr);
    const removed = await callCli(["rm", cacheKey, ...named, ...at]);
    assert.equal(removed.stdout, `removed ${model}/${cacheKey}\n`);
  });

  it("is refused in words where it cannot be one", async (t) => {
    const { save } = await prepare(t);
    await assert.rejects(save("../x"), {
      reason: "INVALID_REQUEST",
      message: /"\.\.\/x" is no namespace: 1 to 128 letters.*meta-llama\/Llama-3.1-8B/,
    });
  });
});

describe("a listing by pages", () => {
  it("passes over no namespace whose name goes on where another ends", async (t) => {
    const { client, save } = await prepare(t);
    const namespaces = ["llama", "llama-8b", "llama.cpp", "llama/x"];
    for (const namespace of namespaces) await save(namespace);
    const listed = await listPageByPage(client);
    assert.deepEqual(listed, namespaces);
  });
});
