import assert from "node:assert/strict";
import { it } from "node:test";
import type { Transfer } from "compilecache-client";
import { transferStatus } from "./transfer-status.ts";

it("tells a transfer that was cancelled or interrupted from one that failed", () => {
  const of = (status: string, outcome?: string) =>
    transferStatus({ status, phase: "packing", outcome: { status: outcome } } as Transfer);
  for (const status of ["cancelled", "interrupted", "error"])
    assert.equal(of(status, "error"), status);
  assert.equal(of("success", "does_not_exist"), "does_not_exist");
  assert.equal(of("success", "success"), "success");
  assert.equal(of("in_progress"), "packing");
  assert.equal(of("not_started"), "waiting");
});
