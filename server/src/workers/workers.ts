import { createPooledWork, type PooledWork } from "./pooled-work.ts";
import { createWorkerPool } from "./worker-pool.ts";

/** Worker threads of one priority. */
export interface Workers {
  /**
   * The steps that they can run, bound to a signal: once it aborts, a step that waits is given up at
   * once and one that runs ends at its next checkpoint; either throws the signal's reason.
   */
  under(signal: AbortSignal): PooledWork;
  /** Ends the threads, even in the middle of a step. */
  close(): Promise<void>;
}

/**
 * Makes workers of priority `nice` (0 to 19; larger is lower). Threads start when they are needed, and
 * end `idleMs` after their last work.
 */
export function createWorkers(options: {
  threads: number;
  nice: number;
  idleMs?: number;
}): Workers {
  const pool = createWorkerPool(options);
  return {
    under: (signal) => createPooledWork(pool, signal),
    close: () => pool.close(),
  };
}
