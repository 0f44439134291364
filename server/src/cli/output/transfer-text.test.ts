import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LeftOutFiles, SaveOutcome, SaveSkipReason, Transfer } from "compilecache-client";
import { transferText } from "./transfer-text.ts";

const cache = {
  namespace: "llama",
  cacheKey: "0123456789ab",
  filename: "cache_0123456789ab.latest.tar.zst",
  archiveBytes: 5,
  contentBytes: 12,
  fileCount: 3,
  createdAt: new Date(1000),
  isCurrentEnvironment: true,
  generation: 1,
};

function skippedText(
  skipReason: SaveSkipReason | undefined,
  stored = true,
  leftOut: readonly LeftOutFiles[] = [],
): string {
  const outcome: SaveOutcome = {
    kind: "save",
    status: "skipped",
    ...(skipReason && { skipReason }),
    ...(stored && { cache }),
    leftOutFileCount: 0,
    leftOut,
  };
  const transfer: Transfer = {
    operationId: "op1",
    operationName: "save llama/0123456789ab",
    kind: "save",
    status: "success",
    phase: "done",
    namespace: "llama",
    cacheKey: "0123456789ab",
    startedAt: new Date(1000),
    bytesDone: 0,
    bytesTotal: 0,
    filesDone: 0,
    filesTotal: 0,
    outcome,
  };
  return transferText(transfer);
}

describe("transferText", () => {
  it("says why a save was skipped", () => {
    const name = "llama/0123456789ab";
    const already = `skipped: the store holds ${name} already (--if-stored-exists says what else to do)`;
    assert.equal(skippedText("already_stored"), already);
    assert.equal(skippedText("already_stored", false), already);
    assert.equal(skippedText("no_files", false), "skipped: the directory holds no files to save");
    assert.equal(
      skippedText("not_loaded", false),
      "skipped: the directory is marked as not loaded, because a load or clear of it was interrupted; the next load finishes or clears it",
    );
    assert.equal(
      skippedText("too_little_new"),
      `skipped: the directory holds little or nothing that ${name} lacks`,
    );
    assert.equal(
      skippedText("too_large"),
      `skipped: the directory is over MAX_CACHE_SIZE_MB, MAX_CONTENT_SIZE_MB or MAX_FILE_COUNT of the daemon, whose log says how far; the store keeps ${name} as it is`,
    );
    assert.equal(
      skippedText("too_large", false),
      "skipped: the directory is over MAX_CACHE_SIZE_MB, MAX_CONTENT_SIZE_MB or MAX_FILE_COUNT of the daemon, whose log says how far",
    );
    assert.equal(
      skippedText("unfinished", false),
      "skipped: what there is to save changed, could not be read, or was still being written",
    );
  });

  it("says what was left out, but for temporary files", () => {
    const temporary = { reason: "temporary", fileCount: 7, examples: ["a.lock"] } as const;
    assert.equal(
      skippedText("no_files", false, [temporary]),
      "skipped: the directory holds no files to save",
    );
    assert.equal(
      skippedText("no_files", false, [
        temporary,
        { reason: "link", fileCount: 1, examples: ["triton"] },
        { reason: "special", fileCount: 1200, examples: ["a", "b", "c"] },
      ]),
      "skipped: the directory holds no files to save; left out 1,201 files, symbolic links: 1 (triton); sockets, pipes or devices: 1,200 (a, b, c, ...)",
    );
  });

  it("does not guess why a save was skipped", () => {
    for (const reason of [undefined, "unknown"] as const)
      assert.equal(skippedText(reason), "skipped: nothing was saved");
  });
});
