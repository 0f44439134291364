import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toFileStoreError } from "./error.ts";

describe("toFileStoreError", () => {
  const messageOf = async (code: string, root = "/cache") => {
    const { reason, message } = await toFileStoreError(Object.assign(new Error(), { code }), root);
    return `${reason}: ${message}`;
  };

  test("says what to do about a store that is not there", async () => {
    assert.equal(
      await messageOf("ENOENT"),
      "STORE_UNAVAILABLE: the store /cache is not there: mount it, or name another one with --store or COMPILE_CACHE_STORE",
    );
    assert.equal(
      await messageOf("ENOENT", "/none/such"),
      "STORE_UNAVAILABLE: the store /none/such is not there: mount it, or make /none, in which a daemon makes it at its start, or name another one with --store or COMPILE_CACHE_STORE",
    );
  });

  test("names any other error, and says that a full disk is full", async () => {
    assert.equal(await messageOf("EIO"), "STORE_UNAVAILABLE: the store /cache failed: EIO");
    assert.match(
      await messageOf("ENOSPC"),
      /^INSUFFICIENT_SPACE: the store \/cache is full: compilecache gc --gc-max-bytes /,
    );
  });
});
