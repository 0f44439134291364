import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { frame, preface, settings } from "../../../../test/support/attack/http2-frames.ts";
import { createFrameCutter } from "./frame-cutter.ts";

/** The lengths of the pieces that bytes are cut into, which arrive so many at a time. */
function pieces(bytes: Buffer, most: number, atATime = bytes.length): number[] {
  const cutter = createFrameCutter();
  const lengths: number[] = [];
  for (let from = 0; from < bytes.length; ) {
    const length = cutter.cut(bytes.subarray(from, from + atATime), most);
    lengths.push(length);
    from += length;
  }
  return lengths;
}

describe("createFrameCutter", () => {
  const headers = frame(1, 4, 1, Buffer.alloc(50));
  const data = frame(0, 1, 1, Buffer.alloc(20));
  const all = Buffer.concat([preface, settings(), headers, data, frame(9, 4, 1), data]);

  it("cuts behind frames of headers, and nowhere else where there is room", () => {
    const first = 24 + 9 + 59;
    assert.deepEqual(pieces(all, 1000), [first, 29 + 9, 29]);
  });

  it("hands on no more than it may, and cuts at the same places however the bytes arrive", () => {
    const ends = (lengths: number[]) =>
      lengths.map((_, n) => lengths.slice(0, n + 1).reduce((a, b) => a + b));
    assert.ok(Math.max(...pieces(all, 10)) <= 10);
    for (const atATime of [1, 7, 30])
      for (const end of ends(pieces(all, 1000)))
        assert.ok(ends(pieces(all, 1000, atATime)).includes(end));
  });
});
