import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { createReadAhead } from "./read-ahead.ts";

const mebibyte = 1024 * 1024;
const content = randomBytes(31 * mebibyte + 17);

/** An object, and which ranges of it were fetched. */
function object() {
  const fetched: (readonly [number, number])[] = [];
  const signals: AbortSignal[] = [];
  const ahead = createReadAhead(content.length, async (start, end, signal) => {
    fetched.push([start, end]);
    signals.push(signal);
    await new Promise((resolve) => setTimeout(resolve, 1));
    signal.throwIfAborted();
    const bytes = Buffer.allocUnsafeSlow(end - start);
    content.copy(bytes, 0, start, end);
    return bytes;
  });
  const check = async (start: number, end: number) => {
    const read = await ahead.read(start, end);
    assert.ok(read.equals(content.subarray(start, end)), `${start} to ${end}`);
    assert.equal(read.buffer.byteLength, end - start, "the memory is shared with others");
  };
  return { ahead, fetched, signals, check };
}

describe("a read-ahead", () => {
  it("reads pieces in order with fewer, larger requests, each byte once", async () => {
    const { fetched, check } = object();
    const pieceBytes = 700_001;
    const underWay: Promise<void>[] = [];
    for (let start = 0; start < content.length; start += pieceBytes) {
      underWay.push(check(start, Math.min(start + pieceBytes, content.length)));
      if (underWay.length === 3) await underWay.shift();
    }
    await Promise.all(underWay);
    assert.equal(fetched.length, 8);
    for (const [n, [start, end]] of fetched.entries()) {
      assert.equal(start, n * 4 * mebibyte);
      assert.equal(end, Math.min((n + 1) * 4 * mebibyte, content.length));
    }
  });

  it("fetches no more than five blocks before they are asked for", async () => {
    const { fetched, check } = object();
    await check(0, 10);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(fetched.length, 5);
    await check(4 * mebibyte, 4 * mebibyte + 10);
    assert.equal(fetched.length, 6);
  });

  it("fetches what is asked for before the start is, and does not fetch it again", async () => {
    const { fetched, check } = object();
    const indexAt = 5 * mebibyte;
    await check(indexAt, indexAt + 1000);
    assert.deepEqual(fetched.splice(0), [[indexAt, indexAt + 1000]]);
    await check(0, 100);
    await check(100, indexAt);
    assert.deepEqual(fetched, [
      [0, 4 * mebibyte],
      [4 * mebibyte, indexAt],
    ]);
  });

  it("fetches as they are asked for what goes back, over the end, or is large", async () => {
    const { fetched, check } = object();
    await check(0, 10);
    await check(9 * mebibyte, 9 * mebibyte + 10);
    const before = fetched.length;
    await check(100, 200);
    await check(10 * mebibyte, 30 * mebibyte);
    assert.deepEqual(fetched.slice(before), [
      [100, 200],
      [10 * mebibyte, 30 * mebibyte],
    ]);
    await check(30 * mebibyte, content.length);
  });

  it("goes on after a gap", async () => {
    const { check } = object();
    await check(0, 10);
    await check(28 * mebibyte, content.length);
  });

  it("fails those who wait when it is closed, and one whose signal aborts", async () => {
    const { ahead, signals, check } = object();
    const cancel = new AbortController();
    const cancelled = ahead.read(0, 10, cancel.signal);
    cancel.abort(new Error("cancelled"));
    await assert.rejects(cancelled, /cancelled/);
    await check(0, 10);
    const late = ahead.read(20 * mebibyte, 20 * mebibyte + 10);
    ahead.close();
    await assert.rejects(late);
    assert.ok(signals.every((signal) => signal.aborted));
  });
});
