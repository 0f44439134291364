import { isFinal, type TransferState } from "./state.ts";

/** What a watcher looks at: the latest state, and a call at each change. */
export interface Watched {
  readonly state: TransferState;
  /** Calls `onChange` at each change, until what this returns is called. */
  subscribe(onChange: () => void): () => void;
}

/** Paces all watchers of all transfers. */
export interface WatchScheduler {
  /**
   * The present state at once, the latest state after changes, the final state last. Repeats the
   * state after a silence. Ends when `signal` aborts. A slow consumer misses states, not the last.
   */
  watch(watched: Watched, signal: AbortSignal): AsyncIterable<TransferState>;
}

/** At most ten states a second to one watcher. */
const watcherIntervalMs = 100;
/** At most 1,000 a second in all, so each takes this long. */
const msPerState = 1;
/** How often the paced queue is served. A late tick makes up for it, up to `statesPerTick`. */
const tickMs = 20;
const statesPerTick = 100;
/** How many final states are sent before other events are let in between. */
const statesPerSlice = 20;
/** A state is repeated after this silence, so that a message comes at least every 15 s. */
const silenceMs = 14_000;

interface Watcher {
  /** The end of the pause after the last state. */
  readonly readyAtMs: number;
  readonly pass: () => void;
}

/**
 * Makes a scheduler. A watcher whose consumer waits for the next state is in at most one of two queues.
 * The paced queue is for changes, and for states that are repeated: one timer serves some of it at each
 * tick until it is empty. The urgent queue is for final states: it is served in slices, as fast as other
 * events allow. The clock tells milliseconds.
 */
export function createWatchScheduler(clock: { now(): number } = performance): WatchScheduler {
  const paced = new Set<Watcher>();
  const urgent = new Set<Watcher>();
  let watcherCount = 0;
  let tickIsDue = false;
  let tickedAtMs = 0;
  let sliceIsDue = false;

  const scheduleTick = () => {
    tickIsDue = true;
    tickedAtMs = clock.now();
    setTimeout(tick, tickMs).unref();
  };
  const tick = () => {
    const nowMs = clock.now();
    const most = Math.floor((nowMs - tickedAtMs) / msPerState);
    pass(paced, Math.min(most, statesPerTick), nowMs);
    if (paced.size > 0) scheduleTick();
    else tickIsDue = false;
  };
  const askPaced = (watcher: Watcher) => {
    paced.add(watcher);
    if (!tickIsDue) scheduleTick();
  };

  const slice = () => {
    pass(urgent, statesPerSlice, Number.POSITIVE_INFINITY);
    sliceIsDue = urgent.size > 0;
    if (sliceIsDue) setImmediate(slice);
  };
  const askUrgent = (watcher: Watcher) => {
    paced.delete(watcher);
    urgent.add(watcher);
    if (sliceIsDue) return;
    sliceIsDue = true;
    setImmediate(slice);
  };

  /** Resolves when there is another state than `sent` to send, or that one to repeat. */
  const turnOf = async (
    watched: Watched,
    sent: TransferState,
    readyAtMs: number,
    signal: AbortSignal,
  ) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const watcher: Watcher = { readyAtMs, pass: resolve };
    const onChange = () => (isFinal(watched.state) ? askUrgent : askPaced)(watcher);
    const unsubscribe = watched.subscribe(onChange);
    // The more watchers there are, the earlier each is queued, so that the last is still in time.
    const patienceMs = Math.max(0, silenceMs - watcherCount * msPerState);
    const silence = setTimeout(() => askPaced(watcher), patienceMs).unref();
    signal.addEventListener("abort", watcher.pass, { once: true });
    try {
      if (watched.state !== sent) onChange();
      if (!signal.aborted) await promise;
    } finally {
      signal.removeEventListener("abort", watcher.pass);
      clearTimeout(silence);
      unsubscribe();
      paced.delete(watcher);
      urgent.delete(watcher);
    }
  };

  return {
    async *watch(watched, signal) {
      watcherCount += 1;
      try {
        while (!signal.aborted) {
          const { state } = watched;
          const readyAtMs = clock.now() + watcherIntervalMs;
          yield state;
          if (isFinal(state)) return;
          await turnOf(watched, state, readyAtMs, signal);
        }
      } finally {
        watcherCount -= 1;
      }
    },
  };
}

/** Serves the first watchers whose pause is over, `most` of them. */
function pass(watchers: Set<Watcher>, most: number, nowMs: number): void {
  let passed = 0;
  for (const watcher of watchers) {
    if (passed === most) return;
    if (watcher.readyAtMs > nowMs) continue;
    watchers.delete(watcher);
    watcher.pass();
    passed += 1;
  }
}
