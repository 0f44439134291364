import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { CacheError, type Reason } from "../../../server/src/domain/cache-error.ts";
import { openStore } from "../../../server/src/store/open-store.ts";
import type { CommitMode, Store } from "../../../server/src/store/store.ts";
import { eventually } from "../eventually.ts";
import { type LogLine, recordingLogger } from "../recording-logger.ts";
import { type Call, type Fault, type ScriptedS3, startScriptedS3 } from "./scripted-s3.ts";

export const name = { namespace: "default", filename: "cache_0123456789ab.latest.tar.zst" };
/** The key of the object that the archive is. */
export const key = `pre/fix/default/${name.filename}`;
export const mebibyte = 1024 * 1024;
/** A scripted server takes any. */
export const credentials = { accessKeyId: "scripted", secretAccessKey: "scripted" };

/** A store on a scripted server, once it has probed whether the server keeps to conditions. */
export async function openScriptedStore(
  t: TestContext,
  conditions: ScriptedS3["conditions"] = "kept",
  script: ScriptedS3["script"] = () => undefined,
) {
  const s3 = await startScriptedS3(t);
  s3.conditions = conditions;
  s3.script = script;
  const lines: LogLine[] = [];
  const server = { endpoint: s3.endpoint, credentials };
  const location = { kind: "s3", bucket: s3.bucket, prefix: "pre/fix", server } as const;
  const store = await openStore(location, recordingLogger(lines));
  await eventually("the probe of conditions", () => lines.length > 0);
  const operations = () => s3.calls.map(({ operation }) => operation);
  return { s3, store, lines, operations };
}

/** Writes an archive of `bytes` bytes that are all `fill`. */
export async function writeArchive(store: Store, bytes: number, fill: number, mode: CommitMode) {
  const writer = await store.create(name);
  try {
    for (let done = 0; done < bytes; done += mebibyte)
      await writer.write(Buffer.alloc(Math.min(mebibyte, bytes - done), fill));
    return await writer.commit(mode);
  } finally {
    await writer.abort();
  }
}

/** A script with a fault for the first call of an operation on the archive. */
export function once(operation: string, fault: Fault, before = () => {}) {
  let done = false;
  return (call: Call) => {
    if (done || call.operation !== operation || !call.key.endsWith(name.filename)) return undefined;
    done = true;
    before();
    return fault;
  };
}

/** A check of an error, for assert.rejects. */
export const failsWith = (reason: Reason, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CacheError, String(error));
  assert.equal(error.reason, reason);
  assert.match(error.message, message);
  return true;
};
