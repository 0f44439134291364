import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import type { TransferState } from "./state.ts";
import { createWatchScheduler, type WatchScheduler } from "./watch-scheduler.ts";

const never = new AbortController().signal;

const firstState: TransferState = {
  operationId: "op",
  operationName: "a load",
  kind: "LOAD",
  status: "IN_PROGRESS",
  phase: "UNPACKING",
  namespace: "default",
  cacheKey: "0123456789ab",
  startedAt: new Date(0),
  bytesDone: 0,
  bytesTotal: 0,
  filesDone: 0,
  filesTotal: 0,
};

/** A state that the test changes. */
class Changing {
  state = firstState;
  readonly listeners = new Set<() => void>();

  subscribe(onChange: () => void): () => void {
    this.listeners.add(onChange);
    return () => this.listeners.delete(onChange);
  }

  change(changes: Partial<TransferState>): void {
    this.state = { ...this.state, ...changes };
    for (const onChange of this.listeners) onChange();
  }
}

/** Watches to the end, and keeps what it sees. */
function watchAll(scheduler: WatchScheduler, watched: Changing, signal = never) {
  const seen: TransferState[] = [];
  const ended = (async () => {
    for await (const state of scheduler.watch(watched, signal)) seen.push(state);
  })();
  return { seen, ended };
}

const stepMs = 10;

/** A scheduler whose time passes only as the test says. */
function startFrozen(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let nowMs = 0;
  const advance = async (ms: number, onStep = () => {}) => {
    for (const end = nowMs + ms; nowMs < end; ) {
      nowMs += stepMs;
      onStep();
      t.mock.timers.tick(stepMs);
      await settle();
    }
  };
  return {
    scheduler: createWatchScheduler({ now: () => nowMs }),
    advance,
    /** Time in which there is a new state at each step. */
    changeFor: (ms: number, watched: readonly Changing[]) =>
      advance(ms, () => {
        for (const each of watched) each.change({ bytesDone: each.state.bytesDone + 1 });
      }),
  };
}

describe("createWatchScheduler", () => {
  it("sends the present state at once and the final one last", async () => {
    const watched = new Changing();
    const { seen, ended } = watchAll(createWatchScheduler(), watched);
    await settle();
    assert.deepEqual(seen, [firstState]);
    watched.change({ bytesDone: 1 });
    watched.change({ status: "SUCCESS", bytesDone: 2 });
    await ended;
    assert.deepEqual(seen.at(-1), watched.state);
    assert.equal(seen.length, 2);
    assert.equal(watched.listeners.size, 0);
  });

  it("sends only the final state of what has ended", async () => {
    const watched = new Changing();
    watched.change({ status: "CANCELLED" });
    const { seen, ended } = watchAll(createWatchScheduler(), watched);
    await ended;
    assert.deepEqual(seen, [watched.state]);
  });

  it("sends one watcher at most ten states a second, the latest each time", async (t) => {
    const { scheduler, changeFor } = startFrozen(t);
    const watched = new Changing();
    const { seen, ended } = watchAll(scheduler, watched);
    await changeFor(1_000, [watched]);
    assert.ok(seen.length >= 8 && seen.length <= 11, `${seen.length} states in a second`);
    watched.change({ status: "SUCCESS", bytesDone: watched.state.bytesDone + 1 });
    await ended;
    const done = seen.map(({ bytesDone }) => bytesDone);
    assert.deepEqual(
      done,
      [...new Set(done)].sort((a, b) => a - b),
    );
  });

  it("sends a change that came in the pause after the last state", async (t) => {
    const { scheduler, advance } = startFrozen(t);
    const watched = new Changing();
    const { seen } = watchAll(scheduler, watched);
    await settle();
    watched.change({ bytesDone: 1 });
    await advance(90);
    assert.equal(seen.length, 1);
    await advance(40);
    assert.deepEqual(
      seen.map(({ bytesDone }) => bytesDone),
      [0, 1],
    );
  });

  it("sends all watchers together at most 1,000 states a second, each its share", async (t) => {
    const { scheduler, changeFor } = startFrozen(t);
    const watched = [new Changing(), new Changing(), new Changing()];
    const watchers = watched.flatMap((each) =>
      Array.from({ length: 200 }, () => watchAll(scheduler, each)),
    );
    await settle();
    for (const expected of [1_000, 2_000, 3_000]) {
      await changeFor(1_000, watched);
      const later = watchers.map(({ seen }) => seen.length - 1);
      const total = later.reduce((sum, count) => sum + count, 0);
      assert.ok(total <= expected && total >= expected - 100, `${total} states, not ${expected}`);
      assert.ok(Math.max(...later) - Math.min(...later) <= 1, "the shares are equal");
    }
    for (const each of watched) each.change({ status: "SUCCESS" });
    await Promise.all(watchers.map(({ ended }) => ended));
  });

  it("sends 1,000 final states in slices, beyond the limit on rate", async () => {
    const watched = new Changing();
    const scheduler = createWatchScheduler();
    const watchers = Array.from({ length: 1000 }, () => watchAll(scheduler, watched));
    await settle();
    const told = () => watchers.filter(({ seen }) => seen.at(-1) === watched.state).length;
    watched.change({ status: "SUCCESS" });
    for (let last = 0; last < 1000; last = told()) {
      await settle();
      assert.ok(told() - last <= 20, `${told() - last} in one go`);
    }
  });

  it("repeats a state after a silence", async (t) => {
    const { scheduler, advance } = startFrozen(t);
    const { seen } = watchAll(scheduler, new Changing());
    for (const count of [1, 2, 3]) {
      await advance(13_900);
      assert.equal(seen.length, count);
      await advance(150);
    }
  });

  it("repeats a state to each of 2,000 within 15 s, and to 1,000 of them a second", async (t) => {
    const { scheduler, advance } = startFrozen(t);
    const watched = new Changing();
    const watchers = Array.from({ length: 2_000 }, () => watchAll(scheduler, watched));
    await settle();
    const repeats = () => watchers.reduce((sum, { seen }) => sum + seen.length - 1, 0);
    for (let second = 1; second <= 15; second++) {
      const before = repeats();
      await advance(1_000);
      assert.ok(repeats() - before <= 1_000, `${repeats() - before} in second ${second}`);
    }
    assert.ok(watchers.every(({ seen }) => seen.length > 1));
  });

  it("spends no turn on a consumer that is not waiting", async (t) => {
    const { scheduler, changeFor } = startFrozen(t);
    const watched = new Changing();
    for (let n = 0; n < 1_000; n++)
      await scheduler.watch(watched, never)[Symbol.asyncIterator]().next();
    const { seen } = watchAll(scheduler, watched);
    await changeFor(1_000, [watched]);
    assert.ok(seen.length >= 8, `${seen.length} states in a second`);
  });

  it("keeps nothing but the latest state for a slow consumer, and sends it once", async (t) => {
    const { scheduler, advance, changeFor } = startFrozen(t);
    const watched = new Changing();
    const states = scheduler.watch(watched, never)[Symbol.asyncIterator]();
    await states.next();
    await changeFor(1_000, [watched]);
    const second = states.next();
    await advance(stepMs * 3);
    assert.equal((await second).value, watched.state);
    const third = states.next();
    await advance(1_000);
    assert.equal(await Promise.race([third, "nothing"]), "nothing");
    watched.change({ bytesDone: 1_000 });
    await advance(stepMs * 3);
    assert.equal((await third).value, watched.state);
    watched.change({ status: "SUCCESS" });
    assert.equal((await states.next()).value, watched.state);
    assert.equal((await states.next()).done, true);
  });

  it("ends when the signal aborts, while it waits and while it is read from", async () => {
    const watched = new Changing();
    const scheduler = createWatchScheduler();
    const controller = new AbortController();
    const waiting = watchAll(scheduler, watched, controller.signal);
    const read = scheduler.watch(watched, controller.signal)[Symbol.asyncIterator]();
    await read.next();
    controller.abort();
    await waiting.ended;
    assert.equal((await read.next()).done, true);
    assert.equal(watched.listeners.size, 0);
  });
});
