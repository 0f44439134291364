import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { describe, it } from "node:test";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import { CacheError } from "../domain/cache-error.ts";
import { underCallSignal } from "./call-signal.ts";

const hourMs = 3_600_000;

/** A call that ends when the test says so. */
function callWithDeadline(deadlineMs: number, cancelled = false) {
  const call = Object.assign(new EventEmitter(), {
    cancelled,
    getDeadline: () => deadlineMs,
  });
  return call as typeof call & ServerUnaryCall<unknown, unknown>;
}

/** Why the work of a call is stopped that ends while it runs. */
async function reasonOfEnd(deadlineMs: number): Promise<string> {
  const call = callWithDeadline(deadlineMs);
  const working = underCallSignal(call, async (signal) => {
    call.emit("cancelled");
    if (!signal.aborted) await once(signal, "abort");
    throw new Error("stopped");
  });
  const error: unknown = await working.catch((failure: unknown) => failure);
  assert.ok(error instanceof CacheError);
  return error.reason;
}

describe("underCallSignal", () => {
  it("takes a call for cancelled that ends well before its deadline", async () => {
    assert.equal(await reasonOfEnd(Date.now() + hourMs), "CANCELLED");
    assert.equal(await reasonOfEnd(Number.POSITIVE_INFINITY), "CANCELLED");
  });

  it("takes a call for late that ends at its deadline, or so shortly before that its caller gave up", async (t) => {
    t.mock.timers.enable({ apis: ["Date"], now: hourMs });
    assert.equal(await reasonOfEnd(hourMs - 1), "DEADLINE_EXCEEDED");
    assert.equal(await reasonOfEnd(hourMs + 100), "DEADLINE_EXCEEDED");
    assert.equal(await reasonOfEnd(hourMs + 101), "CANCELLED");
  });

  it("does not begin what was cancelled before", async () => {
    const call = callWithDeadline(Date.now() + hourMs, true);
    const working = underCallSignal(call, async () => assert.fail("it began"));
    await assert.rejects(working, { reason: "CANCELLED" });
  });

  it("gives what the work gives, and leaves no listener", async () => {
    const call = callWithDeadline(Date.now() + hourMs);
    assert.equal(await underCallSignal(call, async () => "done"), "done");
    assert.equal(call.listenerCount("cancelled"), 0);
  });
});
