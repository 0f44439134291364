import { setTimeout as sleep } from "node:timers/promises";

/** The longest that it waits at once. */
export const longestBackOffMs = 1_000;

/**
 * Waits before something that failed is tried again: a random time, of up to 100 ms after the first
 * attempt, twice that after each further one, and a second at most. Throws the signal's reason.
 */
export async function backOff(attempt: number, signal?: AbortSignal): Promise<void> {
  const most = Math.min(longestBackOffMs, 50 * 2 ** attempt);
  await sleep(Math.random() * most, undefined, signal ? { signal } : {}).catch(() =>
    signal?.throwIfAborted(),
  );
}
