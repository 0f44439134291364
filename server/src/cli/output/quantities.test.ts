import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesText, dateText, durationText, fileCountText } from "./quantities.ts";

describe("bytesText", () => {
  it("gives three digits that matter, in powers of 1,000", () => {
    const texts = [0, 999, 1000, 72_556_876, 999_400, 999_600, 4_294_967_296, 1e18].map(bytesText);
    assert.deepEqual(texts, [
      "0 B",
      "999 B",
      "1.00 kB",
      "72.6 MB",
      "999 kB",
      "1.00 MB",
      "4.29 GB",
      "1.00e+3 PB",
    ]);
  });
});

describe("durationText", () => {
  it("changes from seconds to minutes at a minute", () => {
    const texts = [0, 1940, 59_940, 59_960, 200_000].map(durationText);
    assert.deepEqual(texts, ["0.0 s", "1.9 s", "59.9 s", "1 min 0 s", "3 min 20 s"]);
  });
});

describe("fileCountText", () => {
  it("knows one from many", () => {
    assert.deepEqual([0, 1, 1258].map(fileCountText), ["0 files", "1 file", "1,258 files"]);
  });
});

describe("dateText", () => {
  it("is in UTC, to the minute", () => {
    assert.equal(dateText(new Date("2026-01-31T12:34:56+02:00")), "2026-01-31 10:34");
  });
});
