import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import { CacheError, type Reason } from "../domain/cache-error.ts";
import type { LogFields, Logger } from "../domain/logger.ts";
import type { Outcome } from "../domain/outcome.ts";
import { RunningTransfer } from "./running-transfer.ts";
import type { Flow, Progress, TransferKind, TransferState } from "./state.ts";
import { createWatchScheduler } from "./watch-scheduler.ts";

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

function startTransfer(kind: TransferKind = "LOAD") {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      lines.push({ level, message, fields });
    };
  const logger: Logger = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: () => logger,
  };
  const first: TransferState = {
    operationId: "op",
    operationName: "a transfer",
    kind,
    status: "NOT_STARTED",
    phase: "WAITING",
    namespace: "default",
    cacheKey: "0123456789ab",
    startedAt: new Date(),
    bytesDone: 0,
    bytesTotal: 0,
    filesDone: 0,
    filesTotal: 0,
  };
  const transfer = new RunningTransfer(first, createWatchScheduler(), logger);
  const states: TransferState[] = [];
  transfer.subscribe(() => states.push(transfer.state));
  return { transfer, states, lines };
}

async function* flowOf(steps: readonly Progress[], outcome?: Outcome): Flow {
  yield* steps;
  return outcome;
}

// biome-ignore lint/correctness/useYield: it fails before its first step
async function* failingFlow(error: unknown): Flow {
  throw error;
}

/** A flow that runs until it is told to stop, and then tidies up. */
async function* endlessFlow(signal: AbortSignal, tidyUp: () => Promise<void>): Flow {
  try {
    yield { phase: "UNPACKING" };
    await new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });
    return undefined;
  } finally {
    await tidyUp();
  }
}

const startedLoad: Outcome = { kind: "LOAD", status: "SUCCESS" };
const isReason = (reason: Reason) => (error: unknown) =>
  error instanceof CacheError && error.reason === reason;

describe("RunningTransfer.run", () => {
  it("makes a new state of each step, and ends with the outcome", async () => {
    const { transfer, states, lines } = startTransfer();
    await transfer.run(
      flowOf(
        [
          { phase: "UNPACKING", bytesTotal: 10, filesTotal: 2 },
          { bytesDone: 4 },
          { bytesDone: 10, filesDone: 2 },
          { phase: "COMMITTING" },
        ],
        startedLoad,
      ),
    );
    assert.deepEqual(
      states.map((s) => [s.status, s.phase, s.bytesDone, s.bytesTotal, s.filesDone, s.filesTotal]),
      [
        ["IN_PROGRESS", "CHECKING", 0, 0, 0, 0],
        ["IN_PROGRESS", "UNPACKING", 0, 10, 0, 2],
        ["IN_PROGRESS", "UNPACKING", 4, 10, 0, 2],
        ["IN_PROGRESS", "UNPACKING", 10, 10, 2, 2],
        ["IN_PROGRESS", "COMMITTING", 10, 10, 2, 2],
        ["SUCCESS", "DONE", 10, 10, 2, 2],
      ],
    );
    assert.deepEqual(transfer.state.outcome, startedLoad);
    assert.ok(transfer.state.completedAt instanceof Date);
    assert.equal(await transfer.ended, transfer.state);
    assert.equal(lines.length, 1);
  });

  const progress: [string, Progress[], [number, number][]][] = [
    [
      "never lets what is done fall",
      [{ bytesDone: 5 }, { bytesDone: 3 }, { bytesDone: 6 }],
      [[5, 0], [5, 0], [6, 0], [6, 6]], // biome-ignore format: pairs
    ],
    [
      "never lets what is done pass a known total",
      [{ bytesTotal: 10 }, { bytesDone: 12 }],
      [[0, 10], [10, 10], [10, 10]], // biome-ignore format: pairs
    ],
    [
      "raises a total that is less than what is done",
      [{ bytesDone: 12 }, { bytesTotal: 10 }],
      [[12, 0], [12, 12], [12, 12]], // biome-ignore format: pairs
    ],
    [
      "ends at the totals though less was reported",
      [{ bytesTotal: 10, bytesDone: 4 }],
      [[4, 10], [10, 10]], // biome-ignore format: pairs
    ],
    [
      "takes a total that comes out smaller",
      [
        { bytesTotal: 10, bytesDone: 4 },
        { bytesTotal: 8, bytesDone: 8 },
      ],
      [[4, 10], [8, 8], [8, 8]], // biome-ignore format: pairs
    ],
  ];
  for (const [what, steps, expected] of progress)
    it(what, async () => {
      const { transfer, states } = startTransfer();
      await transfer.run(flowOf(steps));
      const pairs = states.slice(1).map((state) => [state.bytesDone, state.bytesTotal]);
      assert.deepEqual(pairs, expected);
    });

  it("ends as ERROR with the CacheError that the flow throws, and logs it", async () => {
    const { transfer, lines } = startTransfer("SAVE");
    const error = new CacheError("STORE_UNAVAILABLE", "the store is away", {
      cause: new Error("EIO"),
    });
    await transfer.run(failingFlow(error));
    assert.equal(transfer.state.status, "ERROR");
    assert.equal(transfer.state.error, error);
    assert.deepEqual(transfer.state.outcome, {
      kind: "SAVE",
      status: "ERROR",
      leftOut: [],
    });
    assert.deepEqual(
      lines.map(({ level, fields }) => [level, fields.error]),
      [["error", error]],
    );
  });

  const expected: Reason[] = [
    "INVALID_REQUEST",
    "PATH_NOT_ALLOWED",
    "ARCHIVE_UNSUPPORTED",
    "INSUFFICIENT_SPACE",
    "CACHE_TOO_LARGE",
  ];
  for (const reason of expected)
    it(`logs ${reason} as a warning, in words`, async () => {
      const { transfer, lines } = startTransfer("SAVE");
      await transfer.run(failingFlow(new CacheError(reason, "why", { cause: new Error("EIO") })));
      const { status } = transfer.state;
      assert.deepEqual(lines, [
        { level: "warn", message: "save failed", fields: { status, reason, why: "why" } },
      ]);
    });

  const faults: Reason[] = [
    "ARCHIVE_CORRUPT",
    "ARCHIVE_UNSAFE",
    "STORE_UNAVAILABLE",
    "LOCAL_UNAVAILABLE",
    "INTERNAL",
  ];
  for (const reason of faults)
    it(`logs ${reason} as an error, with its stack and cause`, async () => {
      const { transfer, lines } = startTransfer("SAVE");
      const error = new CacheError(reason, "why", { cause: new Error("EIO") });
      await transfer.run(failingFlow(error));
      assert.deepEqual(lines, [
        { level: "error", message: "save failed", fields: { status: "ERROR", reason, error } },
      ]);
    });

  it("ends as INTERRUPTED for want of space", async () => {
    const { transfer } = startTransfer();
    await transfer.run(failingFlow(new CacheError("INSUFFICIENT_SPACE", "full")));
    assert.equal(transfer.state.status, "INTERRUPTED");
    assert.deepEqual(transfer.state.outcome, { kind: "LOAD", status: "ERROR" });
  });

  it("shows a bug as INTERNAL, with its cause for the log", async () => {
    const { transfer, lines } = startTransfer("COPY");
    const bug = new TypeError("undefined is not a function");
    await transfer.run(failingFlow(bug));
    assert.ok(isReason("INTERNAL")(transfer.state.error));
    assert.equal(transfer.state.outcome, undefined);
    const [line] = lines;
    assert.ok(line?.fields.error instanceof CacheError);
    assert.equal(line.fields.error.cause, bug);
  });
});

describe("RunningTransfer.cancel", () => {
  /** The time that a cancel waits for the flow never passes. */
  const freezeTime = (t: TestContext) => t.mock.timers.enable({ apis: ["setTimeout"] });

  it("returns the final state, after the flow has tidied up", async (t) => {
    freezeTime(t);
    const { transfer, lines } = startTransfer();
    let tidy = false;
    transfer.run(
      endlessFlow(transfer.signal, async () => {
        for (let turns = 0; turns < 5; turns++) await settle();
        tidy = true;
      }),
    );
    await settle();
    const state = await transfer.cancel();
    assert.ok(tidy);
    assert.equal(state.status, "CANCELLED");
    assert.equal(state.phase, "DONE");
    assert.ok(isReason("CANCELLED")(state.error));
    assert.deepEqual(
      lines.map(({ level, fields }) => [level, fields.error]),
      [["info", undefined]],
    );
  });

  it("stops a flow that only yields, and lets it tidy up", async (t) => {
    freezeTime(t);
    const { transfer } = startTransfer();
    let tidy = false;
    const flow = (async function* (): Flow {
      try {
        for (;;) {
          await settle();
          yield { phase: "PACKING" };
        }
      } finally {
        tidy = true;
      }
    })();
    transfer.run(flow);
    await settle();
    assert.equal((await transfer.cancel()).status, "CANCELLED");
    assert.ok(tidy);
  });

  it("comes too late for a flow that is committing", async (t) => {
    freezeTime(t);
    const { transfer } = startTransfer();
    const flow = (async function* (): Flow {
      yield { phase: "COMMITTING" };
      for (let turns = 0; turns < 5; turns++) await settle();
      yield {};
      return startedLoad;
    })();
    transfer.run(flow);
    await settle();
    const state = await transfer.cancel();
    assert.equal(state.status, "SUCCESS");
  });

  it("returns the present state after a second when the flow hangs", async (t) => {
    freezeTime(t);
    const { transfer } = startTransfer();
    transfer.run(endlessFlow(transfer.signal, () => new Promise(() => {})));
    await settle();
    let answered = false;
    const cancelling = transfer.cancel().finally(() => {
      answered = true;
    });
    t.mock.timers.tick(999);
    await settle();
    assert.equal(answered, false);
    t.mock.timers.tick(1);
    assert.equal((await cancelling).status, "IN_PROGRESS");
  });

  it("leaves a finished transfer as it is", async () => {
    const { transfer } = startTransfer();
    await transfer.run(flowOf([], startedLoad));
    const before = transfer.state;
    assert.equal(await transfer.cancel(), before);
    assert.equal(transfer.signal.aborted, false);
  });

  it("logs what went wrong when the flow could not tidy up", async (t) => {
    freezeTime(t);
    const { transfer, lines } = startTransfer();
    const failure = new Error("EACCES");
    transfer.run(endlessFlow(transfer.signal, () => Promise.reject(failure)));
    await settle();
    assert.equal((await transfer.cancel()).status, "CANCELLED");
    assert.deepEqual(
      lines.map(({ level, message }) => [level, message]),
      [
        ["info", "load cancelled"],
        ["error", "load failed as it was cancelled"],
      ],
    );
    const error = lines[1]?.fields.error;
    assert.ok(error instanceof CacheError);
    assert.equal(error.cause, failure);
  });
});

describe("RunningTransfer.wait", () => {
  function startEndless() {
    const { transfer } = startTransfer();
    transfer.run(endlessFlow(transfer.signal, async () => {}));
    return transfer;
  }
  const gone = new CacheError("DEADLINE_EXCEEDED", "the deadline passed");

  it("returns the final state, whatever it is", async () => {
    const { transfer } = startTransfer();
    const waiting = transfer.wait();
    await transfer.run(failingFlow(new CacheError("ARCHIVE_CORRUPT", "damaged")));
    assert.equal((await waiting).status, "ERROR");
    assert.equal(await transfer.wait(), transfer.state);
  });

  it("throws the reason of the signal, and cancels the transfer with it", async () => {
    const transfer = startEndless();
    const controller = new AbortController();
    const waiting = transfer.wait(controller.signal);
    controller.abort(gone);
    await assert.rejects(waiting, gone);
    const state = await transfer.ended;
    assert.equal(state.status, "CANCELLED");
    assert.equal(state.error, gone);
  });

  it("cancels for a signal that has aborted already", async () => {
    const transfer = startEndless();
    await assert.rejects(transfer.wait(AbortSignal.abort(gone)), gone);
    assert.equal((await transfer.ended).status, "CANCELLED");
  });

  it("cancels only when the last waiter has gone", async () => {
    const transfer = startEndless();
    const [one, other] = [new AbortController(), new AbortController()];
    const waiting = [transfer.wait(one.signal), transfer.wait(other.signal)];
    one.abort(gone);
    await assert.rejects(waiting[0] as Promise<unknown>, gone);
    await settle();
    assert.equal(transfer.signal.aborted, false);
    other.abort(new CacheError("CANCELLED", "the caller went away"));
    await assert.rejects(waiting[1] as Promise<unknown>);
    assert.ok(isReason("CANCELLED")((await transfer.ended).error));
  });

  it("never cancels a detached transfer", async () => {
    const transfer = startEndless();
    transfer.detach();
    await assert.rejects(transfer.wait(AbortSignal.abort(gone)), gone);
    await settle();
    assert.equal(transfer.signal.aborted, false);
    await transfer.cancel();
  });

  it("need not have begun: a transfer that nobody has waited for goes on", async () => {
    const transfer = startEndless();
    await settle();
    assert.equal(transfer.state.status, "IN_PROGRESS");
    await transfer.cancel();
  });
});
