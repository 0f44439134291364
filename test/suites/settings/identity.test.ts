// A path's text is not a directory: the daemon compares what it sees with what the caller sees.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createCacheClient } from "compilecache-client";
import { call, failureOf } from "../../support/client/service-client.ts";
import {
  environment,
  startTestDaemon,
  writeFiles,
} from "../../support/daemon/daemon-in-process.ts";

const another = "7:7";
const local = { environment, localDirIdentity: another } as const;

describe("the identity of a directory", () => {
  test("that is another one for the daemon keeps every call from touching it", async (t) => {
    const { client, localDir, dir } = await startTestDaemon(t);
    writeFiles(localDir, 3);
    const before = readdirSync(localDir);
    const copy = { source: localDir, destination: `${dir}/work/new` };
    const refused = [
      () => call(client, "load", { ...local, localDir }),
      () => call(client, "load", { ...local, localDir, detach: true, ifLocalExists: 3 }),
      () => call(client, "save", { ...local, localDir }),
      () => call(client, "getCacheInfo", { ...local, localDir }),
      () => call(client, "clearLocalCache", { localDir, localDirIdentity: another }),
      () => call(client, "startTransfer", { ...copy, sourceIdentity: another }),
      () => call(client, "startTransfer", { ...copy, destinationIdentity: another }),
    ];
    for (const attempt of refused) {
      const { code, info, message } = await failureOf(attempt());
      assert.deepEqual([code, info?.reason], [7, "PATH_NOT_ALLOWED"], message);
      assert.match(message, /is not the same for the caller and for this daemon.*ALLOWED_DIRS/);
    }
    assert.deepEqual(readdirSync(localDir), before);
    assert.ok(!existsSync(copy.destination));
  });

  test("counts also where one of the two sees nothing", async (t) => {
    const { client, localDir } = await startTestDaemon(t);
    const saved = await failureOf(call(client, "save", { ...local, localDir }));
    assert.match(saved.message, /the caller sees 7:7 there, the daemon nothing/);
    writeFiles(localDir, 1);
    const nothing = { localDir, localDirIdentity: "0:0" };
    const cleared = await failureOf(call(client, "clearLocalCache", nothing));
    assert.match(
      cleared.message,
      /the caller sees nothing there, the daemon another one \(\d+:\d+\)/,
    );
    assert.equal(readdirSync(localDir).length, 1);
  });

  test("that is malformed is told by its field", async (t) => {
    const { client, localDir } = await startTestDaemon(t);
    for (const localDirIdentity of [
      "1",
      "1:",
      ":1",
      "a:b",
      "-1:1",
      "1:1 ",
      "1:1\n",
      "9".repeat(99),
    ]) {
      const failure = await failureOf(
        call(client, "save", { environment, localDir, localDirIdentity }),
      );
      assert.deepEqual([failure.code, failure.violations?.[0]?.field], [3, "local_dir_identity"]);
    }
  });

  test("is not compared for a path that is mapped, not even to itself", async (t) => {
    const dir = mkdtempSync("/tmp/cc-mapped-");
    t.after(() => rmSync(dir, { recursive: true }));
    const allowedDirs = `${dir}/a=${dir}/a,/in/container=${dir}/b`;
    const { client } = await startTestDaemon(t, { allowedDirs });
    for (const localDir of [`${dir}/a`, "/in/container/x", `${dir}/b`]) {
      const { status } = await call(client, "save", { ...local, localDir });
      assert.equal(status, 4, localDir);
    }
  });

  test("is sent by the client, also of what is not there yet", async (t) => {
    const { address, localDir, dir } = await startTestDaemon(t);
    const client = createCacheClient({ address });
    t.after(() => client.close());
    const torch = { environment: { torchVersion: "2.1.0" }, localDir };
    assert.equal((await client.save(torch)).status, "skipped");
    assert.deepEqual(await client.clearLocalCache({ localDir }), { bytes: 0, fileCount: 0 });
    assert.equal((await client.load(torch)).status, "does_not_exist");
    writeFiles(localDir, 3);
    assert.equal((await client.save(torch)).status, "success");
    const copied = await client.startTransfer({ source: localDir, destination: `${dir}/work/a/b` });
    for await (const state of client.watch(copied.operationId))
      if (state.completedAt) assert.equal(state.status, "success", state.error?.message);
  });

  test("may change under eight ranks that load at once", async (t) => {
    const { address, localDir: allowed, lines } = await startTestDaemon(t, { workers: "2" });
    // Where the directory above is allowed, a load puts a new one in place.
    const localDir = join(allowed, "rank");
    const clients = Array.from({ length: 8 }, () => createCacheClient({ address }));
    t.after(() => clients.map((client) => client.close()));
    const [first] = clients;
    const torch = { environment: { torchVersion: "2.1.0" }, localDir };
    writeFiles(localDir, 5);
    await first?.save(torch);
    for (let round = 0; round < 40; round++) {
      rmSync(localDir, { recursive: true });
      const loads = clients.map(async (client, rank) => {
        // Some look at the directory just before the load of others replaces it.
        await delay((rank * 5 + (round % 5)) / 2);
        return (await client.load(torch)).status;
      });
      const statuses = await Promise.all(loads);
      assert.ok(
        statuses.every((status) => status === "success" || status === "skipped"),
        `${statuses}`,
      );
      assert.equal(readdirSync(localDir).length, 5);
    }
    const refusals = lines.filter(({ message }) => message === "a call failed").length;
    t.diagnostic(`${refusals} loads were refused at first, and looked again`);
  });

  test("is looked at again by a client whose directory was replaced after its look", async (t) => {
    const { address, localDir, dir } = await startTestDaemon(t);
    const client = createCacheClient({ address });
    t.after(() => client.close());
    writeFiles(localDir, 1);
    // The call starts with a look; the directory changes before the daemon can compare.
    const info = client.getCacheInfo({ environment: { torchVersion: "2.1.0" }, localDir });
    mkdirSync(join(dir, "other"), { recursive: true });
    renameSync(localDir, join(dir, "before"));
    renameSync(join(dir, "other"), localDir);
    assert.equal((await info).localFileCount, 0);
  });
});
