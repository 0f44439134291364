import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { IfStoredExists } from "compilecache-client/gen/compilecache/v1/cache_service.ts";
import { SaveSkipReason, SaveStatus } from "compilecache-client/gen/compilecache/v1/transfer.ts";
import { call } from "../../support/client/service-client.ts";
import {
  environment,
  startTestDaemon,
  writeFiles,
} from "../../support/daemon/daemon-in-process.ts";
import { keepGrowing } from "../../support/trees/growing-file.ts";

const skip: IfStoredExists = 1;
const refresh: IfStoredExists = 2;
const replace: IfStoredExists = 3;

type Settings = Parameters<typeof startTestDaemon>[1];

async function start(t: TestContext, settings: Settings = {}) {
  const daemon = await startTestDaemon(t, settings);
  const { client } = daemon;
  const save = (ifStoredExists: IfStoredExists, profile = "") =>
    call(client, "save", { environment, ifStoredExists, profile });
  /** Why a save is skipped, and how many files the cache has that is stored then. */
  const skippedBy = async (ifStoredExists: IfStoredExists, profile = "") => {
    const { status, skipReason, cache, transfer } = await save(ifStoredExists, profile);
    assert.equal(status, SaveStatus.SAVE_STATUS_SKIPPED);
    assert.equal(transfer?.outcome?.$case, "save");
    assert.equal(transfer.outcome.value.skipReason, skipReason);
    return [skipReason, cache?.fileCount];
  };
  return { ...daemon, save, skippedBy };
}

describe("a save that is skipped says why", () => {
  test("the store holds the cache already", async (t) => {
    const { localDir, save, skippedBy } = await start(t);
    writeFiles(localDir, 3);
    const saved = await save(skip);
    assert.equal(saved.skipReason, SaveSkipReason.SAVE_SKIP_REASON_UNSPECIFIED);
    assert.deepEqual(await skippedBy(skip), [SaveSkipReason.SAVE_SKIP_REASON_ALREADY_STORED, 3n]);
  });

  test("the directory is absent, or holds no file that travels", async (t) => {
    const { localDir, skippedBy } = await start(t);
    const noFiles = [SaveSkipReason.SAVE_SKIP_REASON_NO_FILES, undefined];
    for (const policy of [skip, refresh, replace])
      assert.deepEqual(await skippedBy(policy), noFiles);
    mkdirSync(localDir);
    writeFileSync(join(localDir, "a.lock"), "");
    assert.deepEqual(await skippedBy(skip), noFiles);
    writeFiles(join(localDir, "assets"), 1);
    assert.deepEqual(await skippedBy(refresh, "vllm"), noFiles);
  });

  test("the directory is absent, though the store holds the cache", async (t) => {
    const { localDir, save, skippedBy } = await start(t);
    writeFiles(localDir, 3);
    await save(skip);
    rmSync(localDir, { recursive: true });
    for (const policy of [skip, refresh, replace])
      assert.deepEqual(await skippedBy(policy), [
        SaveSkipReason.SAVE_SKIP_REASON_NO_FILES,
        undefined,
      ]);
    writeFileSync(localDir, "no directory");
    for (const policy of [skip, refresh, replace])
      await assert.rejects(() => save(policy), /is not a directory/);
  });

  test("the directory is marked as not loaded", async (t) => {
    const { localDir, skippedBy } = await start(t);
    writeFiles(localDir, 3);
    writeFileSync(join(localDir, ".compilecache-not-loaded"), "");
    assert.deepEqual(await skippedBy(skip), [
      SaveSkipReason.SAVE_SKIP_REASON_NOT_LOADED,
      undefined,
    ]);
  });

  test("a refresh found too little that is new", async (t) => {
    const { localDir, lines, save, skippedBy } = await start(t);
    writeFiles(localDir, 3);
    await save(refresh);
    const tooLittle = [SaveSkipReason.SAVE_SKIP_REASON_TOO_LITTLE_NEW, 3n];
    assert.deepEqual(await skippedBy(refresh), tooLittle);
    const logged = lines.find(({ message }) => message === "save skipped");
    assert.equal(logged?.fields.reason, "TOO_LITTLE_NEW");
  });

  test("a refresh found the directory too large", async (t) => {
    const { dir, localDir, save } = await start(t);
    const small = await start(t, { store: `file://${dir}/store`, maxFileCount: "4" });
    writeFiles(small.localDir, 5);
    const tooLarge = SaveSkipReason.SAVE_SKIP_REASON_TOO_LARGE;
    assert.deepEqual(await small.skippedBy(refresh), [tooLarge, undefined]);
    writeFiles(localDir, 3);
    await save(skip);
    assert.deepEqual(await small.skippedBy(refresh), [tooLarge, 3n]);
  });

  test("all that is new is still being written", async (t) => {
    const unfinished = SaveSkipReason.SAVE_SKIP_REASON_UNFINISHED;
    const { localDir, save, skippedBy } = await start(t);
    const other = await start(t);
    writeFiles(localDir, 3);
    await save(skip);
    mkdirSync(other.localDir);
    for (const dir of [localDir, other.localDir]) await keepGrowing(t, join(dir, "growing"));
    const skipped = await Promise.all([skippedBy(refresh), other.skippedBy(skip)]);
    assert.deepEqual(skipped, [
      [unfinished, 3n],
      [unfinished, undefined],
    ]);
  });
});
