import type { TransferState } from "./state.ts";

/** A running or finished transfer. */
export interface Transfer {
  readonly state: TransferState;
  /**
   * Waits for the end as one of its waiters, and returns the final state, also that of a failure. When
   * `signal` aborts, stops waiting and throws its reason; the last waiter to leave cancels the
   * transfer.
   */
  wait(signal?: AbortSignal): Promise<TransferState>;
  /** Adds a waiter that never leaves: from now on the transfer goes on without any caller. */
  detach(): void;
  /** Stops the work and returns the final state, or the present one if it will not stop in 1 s. */
  cancel(): Promise<TransferState>;
  /**
   * The present state at once, then the latest at each change within the limits on rate, the final
   * state last; repeats the state after 15 s without a change. A slow consumer misses states, not
   * the last. Ends when `signal` aborts.
   */
  watch(signal: AbortSignal): AsyncIterable<TransferState>;
}
