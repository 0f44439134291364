import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { Transfer } from "compilecache-client";
import { createTestPlace, environment, type TestDaemon } from "../../support/daemon/daemons.ts";
import { writeHugeFile } from "../../support/trees/huge-file.ts";
import { writeVersion } from "../../support/trees/versions.ts";
import { writeLargeCache } from "./large-cache.ts";

const watcherCount = 8;
const mebibytes = 256;

/** A daemon, and a cache of one large file and 40 small ones. */
async function createPlace(t: TestContext) {
  const place = await createTestPlace(t);
  const daemon = await place.startDaemon({ COMPILE_CACHE_WORKERS: "1" });
  const source = join(place.allowed, "source");
  writeLargeCache(source, mebibytes);
  writeVersion(source, 1);
  return { ...place, daemon, source, target: join(place.allowed, "target") };
}

/** What one watcher sees. */
async function watched({ client }: TestDaemon, operationId: string): Promise<Transfer[]> {
  const states: Transfer[] = [];
  for await (const state of client.watch(operationId)) states.push(state);
  return states;
}

/** The states that repeated questions see; they miss hardly any. */
async function polled({ client }: TestDaemon, operationId: string): Promise<Transfer[]> {
  const states: Transfer[] = [];
  while (states.at(-1)?.completedAt === undefined)
    states.push(await client.getTransfer(operationId));
  return states;
}

/** Follows a transfer to its end, and judges what each saw. */
async function requireSoundProgress(daemon: TestDaemon, operationId: string): Promise<void> {
  const watches = Array.from({ length: watcherCount }, () => watched(daemon, operationId));
  for (const states of await Promise.all([...watches, polled(daemon, operationId)])) {
    let before = states[0] as Transfer;
    for (const state of states) {
      assert.ok(state.bytesDone >= before.bytesDone, "the bytes never fall");
      assert.ok(state.filesDone >= before.filesDone, "the files never fall");
      if (state.bytesTotal > 0) assert.ok(state.bytesDone <= state.bytesTotal);
      if (state.filesTotal > 0) assert.ok(state.filesDone <= state.filesTotal);
      before = state;
    }
    assert.equal(before.status, "success");
    assert.ok(before.bytesTotal > mebibytes * 1024 * 1024);
    assert.equal(before.bytesDone, before.bytesTotal);
    assert.deepEqual([before.filesDone, before.filesTotal], [41, 41]);
  }
}

it("shows what a save has done while it still runs", async (t) => {
  const place = await createTestPlace(t);
  const { client } = await place.startDaemon();
  writeHugeFile(place.allowed);
  const { transfer } = await client.save({ environment, localDir: place.allowed, detach: true });
  let last: Transfer | undefined;
  for await (const state of client.watch(transfer.operationId)) {
    last = state;
    if (state.bytesDone > 0) break;
  }
  assert.equal(last?.status, "in_progress");
  assert.ok(last.bytesDone < last.bytesTotal);
  await client.cancelTransfer(transfer.operationId);
});

describe("progress never falls, and ends at its totals", () => {
  it("of a save, a load and a copy", async (t) => {
    const { daemon, source, target } = await createPlace(t);
    const { client } = daemon;
    const saved = await client.save({ environment, localDir: source, detach: true });
    await requireSoundProgress(daemon, saved.transfer.operationId);
    const loaded = await client.load({ environment, localDir: target, detach: true });
    await requireSoundProgress(daemon, loaded.transfer.operationId);
    rmSync(target, { recursive: true });
    const copied = await client.startTransfer({ source, destination: target });
    await requireSoundProgress(daemon, copied.operationId);
  });

  it("of a load of another tool's archive, whose totals come with its end", async (t) => {
    const { daemon, source, target, store } = await createPlace(t);
    const { client } = daemon;
    const { cacheKey } = await client.getCacheInfo({ environment, localDir: source });
    mkdirSync(join(store, "default"));
    const archive = join(store, "default", `cache_${cacheKey}.latest.tar.gz`);
    execFileSync("tar", ["-czf", archive, "-C", source, "."]);
    const { transfer } = await client.load({ environment, localDir: target, detach: true });
    await requireSoundProgress(daemon, transfer.operationId);
  });
});
