import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createCallGate } from "./call-gate.ts";

/** A call that is settled by the test. */
function pending<T>() {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let started = 0;
  const call = () => {
    started += 1;
    return promise;
  };
  return { call, resolve, reject, started: () => started };
}

const createGate = (slots: number, timeoutMs = 60_000) =>
  createCallGate({ slots, timeoutMs, subject: "the mount" });

describe("the call gate", () => {
  it("runs as many calls as it has slots, then those that wait, in order", async () => {
    const gate = createGate(2);
    const calls = [1, 2, 3, 4].map(() => pending<number>());
    const runs = calls.map(({ call }) => gate.run(call));
    const started = () => calls.map((call) => call.started());
    assert.deepEqual(started(), [1, 1, 0, 0]);
    calls[1]?.resolve(1);
    await runs[1];
    assert.deepEqual(started(), [1, 1, 1, 0]);
    calls[0]?.reject(new Error("failed"));
    await assert.rejects(runs[0] as Promise<unknown>, /failed/);
    assert.deepEqual(started(), [1, 1, 1, 1]);
    for (const call of calls) call.resolve(0);
    await Promise.allSettled(runs);
  });

  it("keeps the slot of a call that hangs, and uses the others", async () => {
    const gate = createGate(2, 20);
    const hung = pending<void>();
    await assert.rejects(gate.run(hung.call), {
      reason: "STORE_UNAVAILABLE",
      message: "the mount did not answer within 0.02 s",
    });
    for (let n = 0; n < 5; n++) assert.equal(await gate.run(async () => n), n);
    const next = pending<void>();
    const run = gate.run(next.call, { timeoutMs: 60_000 });
    const late = gate.run(async () => "late", { timeoutMs: 60_000 });
    await turn();
    assert.equal(next.started(), 1);
    next.resolve();
    await run;
    assert.equal(await late, "late");
  });

  it("counts the wait, too, and forgets a call that gave up before it began", async () => {
    const gate = createGate(1, 20);
    const hung = pending<void>();
    const second = pending<void>();
    const runs = await Promise.allSettled([gate.run(hung.call), gate.run(second.call)]);
    assert.deepEqual(
      runs.map((run) => run.status),
      ["rejected", "rejected"],
    );
    hung.resolve();
    await turn();
    assert.equal(second.started(), 0);
    assert.equal(await gate.run(async () => "after"), "after");
  });

  it("gives the slot of a hung call to those who wait once it answers", async () => {
    const gate = createGate(1, 20);
    const hung = pending<string>();
    const discarded: string[] = [];
    await assert.rejects(gate.run(hung.call, { discard: (late) => discarded.push(late) }));
    const waiting = gate.run(async () => "next", { timeoutMs: 60_000 });
    hung.resolve("too late");
    assert.equal(await waiting, "next");
    assert.deepEqual(discarded, ["too late"]);
  });

  it("lets go at once, with the signal's reason, whether the call waits or runs", async () => {
    const gate = createGate(1);
    const running = pending<void>();
    const caller = new AbortController();
    const reason = new Error("went away");
    const runs = [gate.run(running.call, caller), gate.run(async () => {}, caller)];
    caller.abort(reason);
    for (const run of runs) await assert.rejects(run, (error) => error === reason);
    await assert.rejects(
      gate.run(async () => {}, caller),
      (error) => error === reason,
    );
    running.reject(new Error("too late to be heard"));
    assert.equal(await gate.run(async () => "after"), "after");
  });

  it("frees the slot of a call that throws at once", async () => {
    const gate = createGate(1, 1000);
    const throwing = () => {
      throw new Error("at once");
    };
    await assert.rejects(gate.run(throwing), /at once/);
    assert.equal(await gate.run(async () => "after"), "after");
    const first = pending<void>();
    const runs = [gate.run(first.call), gate.run(throwing), gate.run(async () => "last")];
    first.resolve();
    await assert.rejects(runs[1] as Promise<unknown>, /at once/);
    assert.equal(await runs[2], "last");
  });

  it("leaves no timer behind", async () => {
    const gate = createGate(1);
    const caller = new AbortController();
    const before = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    for (let n = 0; n < 100; n++) await gate.run(async () => n, caller);
    const after = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    assert.equal(after, before);
  });
});
