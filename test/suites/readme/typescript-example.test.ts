import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { describe, type TestContext, test } from "node:test";
import { treeDifferences } from "../../../fixtures/compare-trees.ts";
import { makeCache } from "../../../fixtures/make-cache.ts";
import { createTestPlace, environment } from "../../support/daemon/daemons.ts";

const service = resolve(import.meta.dirname, "../../../examples/typescript/service.ts");

/** Starts it, and returns its URL. */
async function startService(t: TestContext, address: string, caches: string): Promise<string> {
  const started = spawn(process.execPath, [service], {
    env: { COMPILE_CACHE_ADDRESS: address, CACHES: caches, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(async () => {
    started.kill();
    const [code] = await once(started, "exit");
    assert.equal(code, 0, "it ends when it is told to");
  });
  for await (const line of createInterface(started.stdout)) {
    const [, port] = /port: (\d+)/.exec(line) ?? [];
    if (port) return `http://127.0.0.1:${port}`;
  }
  throw new Error("the service does not listen");
}

describe("examples/typescript", () => {
  test("lists caches and loads one, and tells how far it is", async (t) => {
    const { allowed, startDaemon } = await createTestPlace(t);
    const { client, address } = await startDaemon();
    const [saved, caches] = [join(allowed, "saved"), join(allowed, "caches")];
    makeCache(saved, { seed: 1, scale: 0.01 });
    const namespace = "meta-llama/Llama-3.1-8B";
    await client.save({ namespace, environment, localDir: saved });
    const url = await startService(t, address, caches);
    const query = new URLSearchParams({ namespace });

    const listed = (await (await fetch(`${url}/caches?${query}`)).json()) as { cacheKey: string }[];
    const key = listed[0]?.cacheKey ?? "";
    assert.equal(listed.length, 1);
    const loading = await fetch(`${url}/loads?${query}&key=${key}`, { method: "POST" });
    const states = (await loading.text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const last = states.at(-1);
    assert.equal(last.status, "success");
    assert.equal(last.bytesDone, last.bytesTotal);
    assert.deepEqual(treeDifferences(saved, join(caches, key)), []);

    // Once more, into what is there.
    cpSync(saved, join(caches, key), { recursive: true });
    const again = await fetch(`${url}/loads?${query}&key=${key}`, { method: "POST" });
    assert.match(await again.text(), /"status":"success"/);
    const other = await fetch(`${url}/loads?${query}&key=none`, { method: "POST" });
    assert.equal(other.status, 404);
    assert.match(await other.text(), /has no cache with the key \\"none\\"/);
    const odd = await fetch(`${url}/caches?namespace=A%20B`);
    assert.equal(odd.status, 400);
    assert.match(await odd.text(), /"reason":"INVALID_REQUEST"/);
  });

  test("says that there is no daemon", async (t) => {
    const url = await startService(t, "unix:/nowhere/daemon.sock", "unused");
    const answer = await fetch(`${url}/caches`);
    assert.equal(answer.status, 503);
    assert.match(await answer.text(), /no daemon/);
  });
});
