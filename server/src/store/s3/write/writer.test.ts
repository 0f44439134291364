import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../../../../../test/support/eventually.ts";
import {
  failsWith,
  key,
  mebibyte,
  name,
  openScriptedStore,
} from "../../../../../test/support/s3/scripted-store.ts";

const partBytes = 5 * mebibyte;

describe("an archive's writer", () => {
  it("gathers chunks into parts of 5 MiB and has at most 4 on their way", async (t) => {
    const { s3, store } = await openScriptedStore(t);
    let most = 0;
    const underWay: (() => void)[] = [];
    s3.script = ({ operation }) => {
      if (operation !== "UploadPart") return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      most = Math.max(most, underWay.push(resolve));
      return { heldUntil: promise };
    };
    const writer = await store.create(name);
    const content = Buffer.alloc(43 * mebibyte + 1);
    for (let n = 0; n < content.length; n++) content[n] = n % 251;
    const writing = (async () => {
      for (let at = 0, n = 0; at < content.length; n++) {
        const chunk = content.subarray(at, at + 1_000_000 + 77_777 * n);
        await writer.write(chunk);
        at += chunk.length;
        assert.equal(writer.bytesWritten, at);
      }
      return writer.commit("create");
    })();
    let ended = false;
    writing.finally(() => (ended = true)).catch(() => {});
    await eventually("four parts on their way", () => underWay.length >= 4);
    const { parts } = [...s3.uploads.values()][0] ?? { parts: new Map<number, Buffer>() };
    await eventually("the end", () => {
      for (const answer of underWay.splice(0)) answer();
      return ended;
    });
    assert.equal(await writing, "committed");
    const sizes = [...parts].sort(([a], [b]) => a - b).map(([, part]) => part.length);
    assert.deepEqual(sizes, [...Array(8).fill(partBytes), 3 * mebibyte + 1]);
    assert.ok(s3.objects.get(key)?.body.equals(content));
    assert.equal(most, 4);
    for (const { operation, headers } of s3.calls)
      if (operation === "UploadPart") assert.ok(headers["x-amz-checksum-crc32"]);
  });

  it("waits in write() while the server does not take the parts on their way", async (t) => {
    const { s3, store } = await openScriptedStore(t);
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    let sent = 0;
    s3.script = ({ operation }) => {
      if (operation !== "UploadPart") return undefined;
      sent += 1;
      return { heldUntil: held };
    };
    const writer = await store.create(name);
    let written = 0;
    const writing = (async () => {
      for (; written < 40; written++) await writer.write(Buffer.alloc(mebibyte));
    })();
    await eventually("four parts on their way", () => sent >= 4);
    // The answer to another client comes later than what the writer would do at once.
    await fetch(`${s3.endpoint}/${s3.bucket}?list-type=2`);
    // Four parts are on their way and one is full.
    assert.deepEqual([written, sent], [20, 4]);
    release();
    await writing;
    assert.equal(await writer.commit("create"), "committed");
  });

  it("fails with the error of a part, and leaves nothing", async (t) => {
    const { s3, store } = await openScriptedStore(t);
    s3.script = ({ operation }) =>
      operation === "UploadPart" ? { error: [507, "InsufficientStorage"] } : undefined;
    const writer = await store.create(name);
    const writeAll = async () => {
      for (let n = 0; n < 12; n++) await writer.write(Buffer.alloc(mebibyte));
      await writer.commit("create");
    };
    await assert.rejects(writeAll(), failsWith("INSUFFICIENT_SPACE", /full/));
    await writer.abort();
    assert.equal(s3.uploads.size, 0);
    assert.equal(s3.objects.size, 0);
  });

  it("stops at once when it is cancelled, and leaves nothing", async (t) => {
    const { s3, store, operations } = await openScriptedStore(t);
    const reason = new Error("cancelled");
    const cancel = new AbortController();
    let parts = 0;
    s3.script = ({ operation }) => {
      if (operation !== "UploadPart") return undefined;
      if (++parts === 4) cancel.abort(reason);
      return { heldUntil: new Promise(() => {}) };
    };
    const writer = await store.create(name);
    const writeAll = async () => {
      for (let n = 0; n < 100; n++) await writer.write(Buffer.alloc(mebibyte), cancel.signal);
    };
    await assert.rejects(writeAll(), reason);
    await assert.rejects(writer.commit("create", cancel.signal), reason);
    await writer.abort();
    assert.equal(s3.uploads.size, 0);
    assert.deepEqual(operations().slice(-2), ["UploadPart", "AbortMultipartUpload"]);
    assert.equal(parts, 4, "a part was sent again");
  });
});
