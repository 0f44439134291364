import { CacheError } from "../../../domain/cache-error.ts";

export interface GatedCallOptions<T> {
  readonly signal?: AbortSignal | undefined;
  /** How long the caller waits, for a slot and for the call; default: the gate's. */
  readonly timeoutMs?: number;
  /** Gets the result of a call whose caller no longer waits. */
  readonly discard?: (late: T) => void;
}

/**
 * Calls on a mount that may hang. A call that hangs cannot be stopped: it keeps its slot, its caller
 * goes on after `timeoutMs` or when `signal` aborts, and the slots bound how many threads a dead mount
 * can hold.
 */
export interface CallGate {
  /** Runs a call when a slot is free. Throws STORE_UNAVAILABLE after `timeoutMs`, or the signal's reason. */
  run<T>(call: () => Promise<T>, options?: GatedCallOptions<T>): Promise<T>;
}

/** Makes a gate of so many slots. `subject` says in its errors what did not answer. */
export function createCallGate(options: {
  slots: number;
  timeoutMs: number;
  subject: string;
}): CallGate {
  let free = options.slots;
  const queue: (() => void)[] = [];
  const release = () => {
    const next = queue.shift();
    if (next) next();
    else free += 1;
  };
  return {
    run(call, { signal, timeoutMs = options.timeoutMs, discard } = {}) {
      return new Promise((resolve, reject) => {
        let left = false;
        const leave = (error: unknown) => {
          left = true;
          clearTimeout(timer);
          signal?.removeEventListener("abort", onAbort);
          const waiting = queue.indexOf(start);
          if (waiting >= 0) queue.splice(waiting, 1);
          reject(error);
        };
        const onAbort = () => leave(signal?.reason);
        const timer = setTimeout(
          () =>
            leave(
              new CacheError(
                "STORE_UNAVAILABLE",
                `${options.subject} did not answer within ${timeoutMs / 1000} s`,
              ),
            ),
          timeoutMs,
        );
        const start = () => {
          (async () => call())().then(
            (value) => {
              release();
              if (left) discard?.(value);
              else {
                clearTimeout(timer);
                signal?.removeEventListener("abort", onAbort);
                resolve(value);
              }
            },
            (error) => {
              release();
              if (!left) leave(error);
            },
          );
        };
        if (signal?.aborted) return leave(signal.reason);
        signal?.addEventListener("abort", onAbort, { once: true });
        if (free > 0) {
          free -= 1;
          start();
        } else queue.push(start);
      });
    },
  };
}
