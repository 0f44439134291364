import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { startClients } from "../../support/client/client-processes.ts";
import { createTestPlace, environment, finalState, namesIn } from "../../support/daemon/daemons.ts";
import { writeHugeFile } from "../../support/trees/huge-file.ts";
import { versionIn, writeVersion } from "../../support/trees/versions.ts";

const loaderCount = 16;

describe("loads", () => {
  it("of 16 processes into one directory at once are one transfer", async (t) => {
    const place = await createTestPlace(t);
    const { address, client } = await place.startDaemon();
    const clients = startClients(t, loaderCount);
    await Promise.all(clients.map((client) => client.connect(address)));
    const source = join(place.allowed, "source");
    writeVersion(source, 1);
    await client.save({ environment, localDir: source });

    // What works on a directory above holds the load up until all have asked for it.
    const above = join(place.allowed, "above");
    writeHugeFile(above);
    const holding = await client.save({
      environment,
      localDir: above,
      namespace: "other",
      detach: true,
    });
    const localDir = join(above, "loaded");
    const asked = clients.map((client) => {
      const { promise: started, resolve: onStarted } = Promise.withResolvers<string>();
      return { started, load: client.load(address, { environment, localDir }, onStarted) };
    });
    const ids = new Set(await Promise.all(asked.map(({ started }) => started)));
    assert.equal(ids.size, 1);
    await client.cancelTransfer(holding.transfer.operationId);
    const results = await Promise.all(asked.map(({ load }) => load));

    for (const { transfer } of results) assert.ok(ids.has(transfer.operationId));
    for (const { status } of results) assert.equal(status, "success");
    assert.equal(versionIn(localDir), 1);
    assert.equal((await finalState(client, holding.transfer.operationId)).status, "cancelled");
  });

  it("wait for work on a directory above or below, and for no other", async (t) => {
    const place = await createTestPlace(t);
    const { client } = await place.startDaemon();
    const source = join(place.allowed, "source");
    writeVersion(source, 1);
    await client.save({ environment, localDir: source });
    const busy = join(place.allowed, "outer", "busy");
    writeHugeFile(busy);
    const load = async (localDir: string) =>
      (await client.load({ environment, localDir, detach: true, ifLocalExists: "merge" })).transfer
        .operationId;
    const statusOf = async (operationId: string) => (await client.getTransfer(operationId)).status;

    const holding = await client.save({
      environment,
      localDir: busy,
      namespace: "other",
      detach: true,
    });
    const above = await load(join(place.allowed, "outer"));
    const below = await load(join(busy, "inner"));
    const beside = await load(join(place.allowed, "outer-beside"));
    assert.equal((await finalState(client, beside)).status, "success");
    for (const id of [above, below]) assert.equal(await statusOf(id), "not_started");

    await client.cancelTransfer(holding.transfer.operationId);
    for (const id of [above, below]) {
      const state = await finalState(client, id);
      assert.equal(state.status, "success", state.error?.message);
    }
    assert.equal(versionIn(join(busy, "inner")), 1);
  });

  for (const [where, ifLocalExists] of [
    ["absent", "skip"],
    ["absent", "replace"],
    ["allowed", "skip"],
    ["allowed", "merge"],
    ["allowed", "replace"],
  ] as const)
    it(`(${ifLocalExists}) of two daemons into one ${where} directory leave it whole`, async (t) => {
      const place = await createTestPlace(t);
      const daemons = await Promise.all([place.startDaemon(), place.startDaemon()]);
      const source = join(place.allowed, "source");
      writeVersion(source, 1);
      await daemons[0].client.save({ environment, localDir: source });
      rmSync(source, { recursive: true });
      // An allowed directory cannot be renamed into place: it is filled file by file.
      const localDir = where === "absent" ? join(place.allowed, "loaded") : place.allowed;
      for (let round = 0; round < 10; round++) {
        const loads = daemons.map(({ client }) =>
          client.load({ environment, localDir, ifLocalExists }),
        );
        for (const { status } of await Promise.all(loads))
          assert.match(status, /^(success|skipped)$/);
        assert.equal(versionIn(localDir), 1);
        assert.deepEqual(
          namesIn(place.allowed).filter((name) => name.startsWith(".")),
          [],
        );
        rmSync(localDir, { recursive: true });
        mkdirSync(place.allowed, { recursive: true });
      }
    });
});
