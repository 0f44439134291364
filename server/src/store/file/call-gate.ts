import { CacheError } from "../../domain/cache-error.ts";

/**
 * Calls on a mount that may hang. A call that hangs cannot be stopped: it keeps its slot, its caller
 * goes on after `timeoutMs` or when `signal` aborts, and the slots bound how many threads a dead mount
 * can hold.
 */
export interface CallGate {
  /**
   * Runs a call when a slot is free. Throws STORE_UNAVAILABLE after `timeoutMs` (the wait included),
   * or the signal's reason. What a call gives that nobody waits for any more goes to `discard`.
   */
  run<T>(
    call: () => Promise<T>,
    options?: { signal?: AbortSignal | undefined; timeoutMs?: number; discard?: (late: T) => void },
  ): Promise<T>;
}

export function createCallGate(options: {
  slots: number;
  timeoutMs: number;
  place: string;
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
          const place = queue.indexOf(start);
          if (place >= 0) queue.splice(place, 1);
          reject(error);
        };
        const onAbort = () => leave(signal?.reason);
        const timer = setTimeout(
          () =>
            leave(
              new CacheError(
                "STORE_UNAVAILABLE",
                `${options.place} did not answer within ${timeoutMs / 1000} s`,
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
