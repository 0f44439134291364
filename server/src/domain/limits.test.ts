import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requireWithin, tooLarge } from "./limits.ts";

const limits = { maxArchiveBytes: 512 * 2 ** 20, maxContentBytes: 2 ** 20, maxFileCount: 1000 };

function refusal(limit: keyof typeof limits, is: number): string {
  try {
    requireWithin(limits, limit, is, "the directory holds");
  } catch (error) {
    assert.equal((error as { reason?: string }).reason, "CACHE_TOO_LARGE");
    return (error as Error).message;
  }
  return "";
}

describe("limits", () => {
  it("lets pass what is as large as they are", () => {
    assert.equal(refusal("maxFileCount", 1000), "");
    assert.equal(refusal("maxContentBytes", 2 ** 20), "");
  });

  it("names what is too large, the setting that says so, and its value in its own unit", () => {
    assert.equal(
      refusal("maxFileCount", 1001),
      "the directory holds 1,001 files: MAX_FILE_COUNT of the daemon is 1000",
    );
    assert.equal(
      refusal("maxContentBytes", 2_000_000),
      "the directory holds 2,000,000 bytes: MAX_CONTENT_SIZE_MB of the daemon is 1 (1,048,576 bytes)",
    );
    assert.equal(
      refusal("maxArchiveBytes", 537_000_000),
      "the directory holds 537,000,000 bytes in its archive: MAX_CACHE_SIZE_MB of the daemon is 512 (536,870,912 bytes)",
    );
  });

  it("says how large something is at least that was stopped on the way", () => {
    assert.equal(
      tooLarge(limits, "maxArchiveBytes", "the archive would have", "bytes", 537_000_000).message,
      "the archive would have at least 537,000,000 bytes: MAX_CACHE_SIZE_MB of the daemon is 512 (536,870,912 bytes)",
    );
    assert.equal(
      tooLarge(limits, "maxFileCount", "the archive holds", "entries").message,
      "the archive holds more than 1,000 entries: MAX_FILE_COUNT of the daemon is 1000",
    );
  });
});
