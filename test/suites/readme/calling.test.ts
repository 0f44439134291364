// docs/calling.md, as it is written.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { call } from "../../support/client/service-client.ts";
import {
  cacheKey,
  environment,
  startTestDaemon,
  writeFiles,
} from "../../support/daemon/daemon-in-process.ts";
import { pageSnippets } from "../../support/readme/readme-snippets.ts";

const root = resolve(import.meta.dirname, "../../..");
const run = promisify(execFile);

/** A daemon with one cache, and what a reader's shell has then. */
async function savedCache(t: TestContext) {
  const { address, client, localDir } = await startTestDaemon(t);
  writeFiles(localDir, 3);
  const { transfer } = await call(client, "save", { environment });
  const operationId = transfer?.operationId ?? "";
  const env = { PATH: process.env.PATH, COMPILE_CACHE_ADDRESS: address, OPERATION_ID: operationId };
  return { operationId, options: { cwd: root, env } };
}

describe("docs/calling.md", () => {
  test("by HTTP and JSON lists caches and watches a transfer", async (t) => {
    const { operationId, options } = await savedCache(t);
    const [list = "", watch = ""] = pageSnippets("docs/calling.md", "## HTTP and JSON", "sh");
    const listed = await run("sh", ["-euc", list], options);
    assert.equal(JSON.parse(listed.stdout).caches[0].cacheKey, cacheKey);
    const watched = await run("sh", ["-euc", watch], options);
    assert.ok(watched.stdout.includes(operationId), watched.stdout);
    assert.match(watched.stdout, /"TRANSFER_STATUS_SUCCESS"/);
  });

  test("by gRPC, with the contract as it lies here", async (t) => {
    const { options } = await savedCache(t);
    const [program = ""] = pageSnippets("docs/calling.md", "## gRPC", "js");
    const args = ["--input-type=module", "--eval", program];
    const { stdout } = await run(process.execPath, args, options);
    assert.match(stdout, new RegExp(`cacheKey: '${cacheKey}'`));
  });
});
