import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { describe, test } from "node:test";
import { call, failureOf } from "../../support/client/service-client.ts";
import {
  cacheKey,
  environment,
  startTestDaemon,
  writeFiles,
} from "../../support/daemon/daemon-in-process.ts";
import { writeHugeFile } from "../../support/trees/huge-file.ts";

type Failure = Awaited<ReturnType<typeof failureOf>>;

function assertFailure(failure: Failure, code: number, reason: string): void {
  assert.deepEqual(
    { code: failure.code, reason: failure.info?.reason, domain: failure.info?.domain },
    { code, reason, domain: "compilecache" },
    failure.message,
  );
}

const names = (directory: string) => (existsSync(directory) ? readdirSync(directory) : []);

/** Changes a manifest's text in place, and its digest with it. */
function forgeManifest(archive: string, pattern: RegExp, replacement: string): void {
  const bytes = readFileSync(archive);
  const start = bytes.lastIndexOf('{"format":');
  const length = bytes.readUInt32LE(start - 36) - 32;
  const json = bytes.toString("latin1", start, start + length);
  const forged = json.replace(pattern, (found) => replacement.padEnd(found.length));
  assert.notEqual(forged, json);
  assert.equal(forged.length, json.length);
  bytes.write(forged, start, "latin1");
  createHash("sha256")
    .update(bytes.subarray(start, start + length))
    .digest()
    .copy(bytes, start - 32);
  writeFileSync(archive, bytes);
}

describe("each row of the table of errors, from a whole daemon", () => {
  test("INVALID_REQUEST, with the fields that are wrong", async (t) => {
    const { client } = await startTestDaemon(t);
    const fieldsOf = async (running: Promise<unknown>) => {
      const failure = await failureOf(running);
      assertFailure(failure, 3, "INVALID_REQUEST");
      return failure.violations.map(({ field }) => field);
    };
    assert.deepEqual(await fieldsOf(call(client, "load", { environment, namespace: "../x" })), [
      "namespace",
    ]);
    assert.deepEqual(await fieldsOf(call(client, "load", { environment, localDir: "relative" })), [
      "local_dir",
    ]);
    assert.deepEqual(await fieldsOf(call(client, "load", { environment, ifLocalExists: 9 as 1 })), [
      "if_local_exists",
    ]);
    const halfGpu = { ...environment, cudaVersion: "12.1", extra: { torch: "x" } };
    assert.deepEqual(await fieldsOf(call(client, "save", { environment: halfGpu })), [
      "environment.compute_capability",
      'environment.extra["torch"]',
    ]);
    assert.deepEqual(await fieldsOf(call(client, "save", { environment, profile: "none" })), [
      "profile",
    ]);
    assert.deepEqual(await fieldsOf(call(client, "deleteCache", { cacheKey: "xyz" })), [
      "cache_key",
    ]);
    for (const name of ["listCaches", "listTransfers"] as const) {
      assert.deepEqual(await fieldsOf(call(client, name, { pageSize: 1001 })), ["page_size"]);
      assert.deepEqual(await fieldsOf(call(client, name, { pageSize: -1 })), ["page_size"]);
      assert.deepEqual(await fieldsOf(call(client, name, { pageToken: "?" })), ["page_token"]);
    }
    assert.deepEqual(await fieldsOf(call(client, "startTransfer", {})), ["source", "destination"]);
  });

  test("INVALID_REQUEST, for what is too long to keep or to open", async (t) => {
    const { client, localDir, dir } = await startTestDaemon(t);
    const fieldsOf = async (running: Promise<unknown>) => {
      const failure = await failureOf(running);
      assertFailure(failure, 3, "INVALID_REQUEST");
      return failure.violations.map(({ field }) => field);
    };
    const longName = { environment, localDir: `${localDir}/${"é".repeat(128)}` };
    assert.deepEqual(await fieldsOf(call(client, "load", longName)), ["local_dir"]);
    const longPath = { localDir: `${localDir}/${"x/".repeat(2048)}x` };
    assert.deepEqual(await fieldsOf(call(client, "clearLocalCache", longPath)), ["local_dir"]);
    // A list of all is one answer, and the daemon keeps 1,000 transfers.
    const large = { ...environment, extra: { note: "x".repeat(1024) } };
    for (const name of ["load", "save", "getCacheInfo", "listCaches"] as const)
      assert.deepEqual(await fieldsOf(call(client, name, { environment: large })), ["environment"]);
    const copy = { source: `${dir}/work/x`, destination: `${dir}/work/y` };
    for (const operationName of ["x".repeat(257), "one\nlevel=error two"])
      assert.deepEqual(await fieldsOf(call(client, "startTransfer", { ...copy, operationName })), [
        "operation_name",
      ]);
  });

  test("PATH_NOT_ALLOWED", async (t) => {
    const { client, dir } = await startTestDaemon(t);
    const outside = [
      call(client, "load", { environment, localDir: "/etc" }),
      call(client, "save", { environment, localDir: `${dir}/local/../../x` }),
      call(client, "getCacheInfo", { environment, localDir: "/" }),
      call(client, "clearLocalCache", { localDir: `${dir}/store` }),
      call(client, "startTransfer", { source: "/etc/passwd", destination: `${dir}/work/x` }),
      call(client, "startTransfer", { source: `${dir}/work/x`, destination: `${dir}/store/x` }),
    ];
    for (const failure of await Promise.all(outside.map(failureOf)))
      assertFailure(failure, 7, "PATH_NOT_ALLOWED");
  });

  test("PATH_NOT_ALLOWED, for a local directory that shares files with the store", async (t) => {
    const { client, dir } = await startTestDaemon(t);
    const store = `${dir}/store`;
    writeFiles(`${dir}/local`, 1);
    const { client: other } = await startTestDaemon(t, {
      store: `file://${store}`,
      allowedDirs: dir,
    });
    await call(client, "save", { environment });
    const ifLocalExists = 3;
    const overlapping = [
      call(other, "clearLocalCache", { localDir: store }),
      call(other, "clearLocalCache", { localDir: `${store}/default` }),
      call(other, "load", { environment, localDir: store, ifLocalExists }),
      call(other, "load", { environment, localDir: dir, ifLocalExists }),
      call(other, "save", { environment, localDir: dir, namespace: "all" }),
      call(other, "getCacheInfo", { environment, localDir: dir }),
    ];
    for (const failure of await Promise.all(overlapping.map(failureOf)))
      assertFailure(failure, 7, "PATH_NOT_ALLOWED");
    assert.deepEqual(names(store), ["default"]);
    const sibling = { environment, localDir: `${dir}/store-2` };
    assert.equal((await call(other, "load", sibling)).status, 2);
  });

  test("UNAUTHENTICATED and FORBIDDEN", async (t) => {
    const { dir } = await startTestDaemon(t);
    writeFileSync(`${dir}/tokens`, "read r\n");
    const { client } = await startTestDaemon(t, { tokens: `${dir}/tokens` });
    const metadata = { authorization: "Bearer r" };
    assertFailure(await failureOf(call(client, "listCaches")), 16, "UNAUTHENTICATED");
    assertFailure(
      await failureOf(call(client, "clearLocalCache", {}, { metadata })),
      7,
      "FORBIDDEN",
    );
    assert.deepEqual((await call(client, "listCaches", {}, { metadata })).caches, []);
  });

  test("TRANSFER_NOT_FOUND and CACHE_NOT_FOUND", async (t) => {
    const { client } = await startTestDaemon(t);
    const operationId = "none";
    const watch = client.watchTransfer({ operationId }).toArray();
    assertFailure(await failureOf(watch), 5, "TRANSFER_NOT_FOUND");
    for (const name of ["getTransfer", "cancelTransfer"] as const)
      assertFailure(await failureOf(call(client, name, { operationId })), 5, "TRANSFER_NOT_FOUND");
    assertFailure(await failureOf(call(client, "deleteCache", { cacheKey })), 5, "CACHE_NOT_FOUND");
  });

  test("ARCHIVE_CORRUPT, and nothing appears", async (t) => {
    const { client, localDir, archive } = await startTestDaemon(t);
    writeFiles(localDir, 3);
    await call(client, "save", { environment });
    rmSync(localDir, { recursive: true });
    const bytes = readFileSync(archive);
    bytes.writeUInt8(bytes.readUInt8(20) ^ 0xff, 20);
    writeFileSync(archive, bytes);
    assertFailure(await failureOf(call(client, "load", { environment })), 15, "ARCHIVE_CORRUPT");
    assert.deepEqual(names(localDir), []);
  });

  test("ARCHIVE_CORRUPT, and a directory goes again that was made for it alone", async (t) => {
    const { client, localDir, archive } = await startTestDaemon(t);
    writeFiles(`${localDir}/saved`, 3);
    await call(client, "save", { environment, localDir: `${localDir}/saved` });
    const damaged = readFileSync(archive).fill(0, 20, 30);
    mkdirSync(`${localDir}/own`);
    for (const target of ["own", "absent"]) {
      writeFileSync(archive, damaged);
      const loading = call(client, "load", { environment, localDir: `${localDir}/${target}` });
      assertFailure(await failureOf(loading), 15, "ARCHIVE_CORRUPT");
    }
    assert.deepEqual(names(localDir).toSorted(), ["own", "saved"]);
  });

  test("ARCHIVE_UNSAFE, and nothing appears", async (t) => {
    const { client, dir, localDir, archive } = await startTestDaemon(t);
    mkdirSync(`${dir}/hostile`);
    writeFileSync(`${dir}/hostile/a`, "harmless");
    symlinkSync("/etc/passwd", `${dir}/hostile/b`);
    mkdirSync(`${dir}/store/default`, { recursive: true });
    const foreign = archive.replace(/zst$/, "gz");
    execFileSync("tar", ["-czf", foreign, "-C", `${dir}/hostile`, "a", "b"]);
    assertFailure(await failureOf(call(client, "load", { environment })), 15, "ARCHIVE_UNSAFE");
    assert.deepEqual(names(localDir), []);
  });

  test("ARCHIVE_UNSUPPORTED, and the archive stays", async (t) => {
    const { client, localDir, archive } = await startTestDaemon(t);
    writeFiles(localDir, 3);
    await call(client, "save", { environment });
    rmSync(localDir, { recursive: true });
    forgeManifest(archive, /"version":\d/, '"version":9');
    assertFailure(await failureOf(call(client, "load", { environment })), 9, "ARCHIVE_UNSUPPORTED");
    assert.ok(existsSync(archive));
  });

  test("INSUFFICIENT_SPACE, as an INTERRUPTED transfer", async (t) => {
    const { client, localDir, archive } = await startTestDaemon(t, {
      maxContentBytes: `${2 ** 30}`,
    });
    writeFiles(localDir, 3, 10_000);
    await call(client, "save", { environment });
    rmSync(localDir, { recursive: true });
    forgeManifest(archive, /"content_bytes":30000/, '"content_bytes":1e15');
    assertFailure(await failureOf(call(client, "load", { environment })), 8, "INSUFFICIENT_SPACE");
    const { transfers } = await call(client, "listTransfers", { includeFinished: true });
    assert.equal(transfers[0]?.status, 5);
    assert.deepEqual(names(localDir), []);
  });

  test("CACHE_TOO_LARGE, of a save and of a load", async (t) => {
    const { client, localDir, dir } = await startTestDaemon(t);
    const small = await startTestDaemon(t, { store: `file://${dir}/store`, maxFileCount: "2" });
    writeFiles(localDir, 3);
    await call(client, "save", { environment });
    assertFailure(
      await failureOf(call(small.client, "load", { environment })),
      8,
      "CACHE_TOO_LARGE",
    );
    writeFiles(small.localDir, 3);
    const save = { environment, ifStoredExists: 3 } as const;
    assertFailure(await failureOf(call(small.client, "save", save)), 8, "CACHE_TOO_LARGE");
  });

  test("STORE_UNAVAILABLE, which the log told at the start", async (t) => {
    const { client, localDir, lines } = await startTestDaemon(t, { store: "file:///none/such" });
    writeFiles(localDir, 1);
    assertFailure(
      await failureOf(call(client, "load", { environment, localDir: `${localDir}/x` })),
      14,
      "STORE_UNAVAILABLE",
    );
    assertFailure(await failureOf(call(client, "save", { environment })), 14, "STORE_UNAVAILABLE");
    assertFailure(await failureOf(call(client, "listCaches")), 14, "STORE_UNAVAILABLE");
    assert.ok(lines.some(({ message }) => message === "the store cannot be used now"));
  });

  test("CANCELLED and DEADLINE_EXCEEDED, without a reason, and the transfer is cancelled", async (t) => {
    const { client, localDir } = await startTestDaemon(t);
    writeHugeFile(localDir);
    const started: string[] = [];
    const onStarted = (operationId: string) => void started.push(operationId);
    const late = await failureOf(
      call(client, "save", { environment }, { deadlineMs: 300, onStarted }),
    );
    assert.deepEqual({ code: late.code, status: late.status }, { code: 4, status: undefined });

    const other = { environment, namespace: "other" };
    const cancelIt = (operationId: string) => {
      onStarted(operationId);
      client.cancelTransfer({ operationId }, () => {});
    };
    const cancelled = await failureOf(call(client, "save", other, { onStarted: cancelIt }));
    assert.deepEqual({ code: cancelled.code, info: cancelled.info }, { code: 1, info: undefined });

    for (const operationId of started) await client.watchTransfer({ operationId }).toArray();
    const { transfers } = await call(client, "listTransfers", { includeFinished: true });
    assert.deepEqual(
      transfers.map(({ status, error }) => [status, error?.details]),
      [
        [6, []],
        [6, []],
      ],
    );
  });
});
