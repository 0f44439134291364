import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { describe, test } from "node:test";
import { call, failureOf } from "../../support/client/service-client.ts";
import {
  environment,
  startTestDaemon,
  writeFiles,
} from "../../support/daemon/daemon-in-process.ts";

type Daemon = Awaited<ReturnType<typeof startTestDaemon>>;

/** The lines of a daemon's log that are no mere information. */
function problems({ lines }: Daemon) {
  return lines.filter(({ level }) => level === "warn" || level === "error");
}

/** Asserts that one warning tells of a failure, with its reason and in words. */
function assertWarned(daemon: Daemon, message: string, reason: string, why: RegExp): void {
  const [line, ...others] = problems(daemon);
  assert.deepEqual(others, []);
  assert.equal(line?.level, "warn");
  assert.equal(line.message, message);
  assert.equal(line.fields.reason, reason);
  assert.match(String(line.fields.why), why);
  for (const field of Object.values(line.fields)) assert.ok(!(field instanceof Error));
}

describe("what only a transfer finds is logged as a warning, without a stack:", () => {
  test("a path that is not allowed", async (t) => {
    const daemon = await startTestDaemon(t);
    symlinkSync("/etc", daemon.localDir);
    const failure = await failureOf(call(daemon.client, "save", { environment }));
    assert.equal(failure.info?.reason, "PATH_NOT_ALLOWED");
    assertWarned(daemon, "save failed", "PATH_NOT_ALLOWED", /"local" is a symbolic link/);
  });

  test("a source that is not there", async (t) => {
    const daemon = await startTestDaemon(t);
    const { client, dir, localDir } = daemon;
    const copy = { source: `${localDir}/none`, destination: `${dir}/work/x` };
    const { transfer } = await call(client, "startTransfer", copy);
    await client.watchTransfer({ operationId: transfer?.operationId ?? "" }).toArray();
    assertWarned(daemon, "copy failed", "INVALID_REQUEST", /source: .*none does not exist/);
  });

  test("a directory that is too large", async (t) => {
    const daemon = await startTestDaemon(t, { maxFileCount: "2" });
    const { client, localDir, lines } = daemon;
    writeFiles(localDir, 3);
    const failure = await failureOf(call(client, "save", { environment }));
    assert.equal(failure.info?.reason, "CACHE_TOO_LARGE");
    assertWarned(daemon, "save failed", "CACHE_TOO_LARGE", /MAX_FILE_COUNT/);
    lines.length = 0;
    await call(client, "save", { environment, ifStoredExists: 2 });
    const message = "the directory is too large to be saved";
    assertWarned(daemon, message, "CACHE_TOO_LARGE", /MAX_FILE_COUNT/);
  });
});
