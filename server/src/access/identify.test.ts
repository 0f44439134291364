import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CacheError } from "../domain/cache-error.ts";
import { parseTokens } from "../domain/tokens.ts";
import { createAuthorize } from "./credentials.ts";

const { tokens } = parseTokens("read r1\nwrite w1\nread both\nwrite both\n");
const authorize = createAuthorize(tokens);

function reasonOf(header: string | undefined, needed: "read" | "write"): string {
  try {
    authorize(header, needed);
    return "allowed";
  } catch (error) {
    return (error as CacheError).reason;
  }
}

describe("createAuthorize", () => {
  test("allows every call where there are no tokens", () => {
    createAuthorize(undefined)(undefined, "write");
  });

  test("lets a read token read and a write token do both", () => {
    assert.equal(reasonOf("Bearer r1", "read"), "allowed");
    assert.equal(reasonOf("Bearer r1", "write"), "FORBIDDEN");
    assert.equal(reasonOf("bearer  w1", "read"), "allowed");
    assert.equal(reasonOf("Bearer w1", "write"), "allowed");
    assert.equal(reasonOf("Bearer both", "write"), "allowed");
  });

  test("refuses calls without a known bearer token", () => {
    for (const header of [
      undefined,
      "",
      "Bearer",
      "Bearer ",
      "Bearer r2",
      "Basic r1",
      "r1",
      "Bearer r1 x",
    ])
      assert.equal(reasonOf(header, "read"), "UNAUTHENTICATED", header);
  });
});
