import type { User } from "../local/open-directory.ts";
import type { OpenStage } from "../local/stage.ts";
import { createPooledWork, type PooledWork } from "./pooled-work.ts";
import { createUserPlaces } from "./user-process/places.ts";
import { startUserProcess } from "./user-process/start.ts";
import { createWorkerPool, type PoolOptions, type WorkerPool } from "./worker-pool.ts";

/** Worker threads of one priority, in one process. */
export interface Workers {
  /**
   * The steps that they can run, bound to a signal: once it aborts, a step that waits is given up at
   * once and one that runs ends at its next checkpoint; either throws the signal's reason.
   */
  under(signal: AbortSignal): PooledWork;
  /** Marks a stage as in use. Does not wait. */
  touch(stage: OpenStage): void;
  /** Closes descriptors that steps returned. Does not wait. */
  closeDescriptors(...fds: readonly (number | undefined)[]): void;
  /** Ends the threads, even in the middle of a step. */
  close(): Promise<void>;
}

/** The daemon's own workers. */
export interface DaemonWorkers extends Workers {
  /** Starts the threads that stay. Does not wait. */
  warmUp(): void;
  /**
   * Starts workers of the same priority in a process that has a user's rights and no others. In it, `fds` are open as
   * the descriptors from `firstInheritedFd` on. Waits for a place among such processes. The caller closes
   * it; it is killed some time after `signal` aborts. Throws LOCAL_UNAVAILABLE where this daemon may not
   * become that user.
   */
  ofUser(user: User, fds: readonly number[], signal: AbortSignal): Promise<Workers>;
}

/** Threads of a user's process, each of some 40 MiB; they all start before it takes up its work. */
const mostUserThreads = 4;

/**
 * Makes workers of a priority; their threads start when they are needed, and all but those that stay end some
 * time after their last work.
 */
export function createWorkers(options: PoolOptions): DaemonWorkers {
  const pool = createWorkerPool(options);
  const places = createUserPlaces();
  return {
    ...workersOf(pool),
    warmUp: pool.warmUp,
    async ofUser(user, fds, signal) {
      const leave = await places.take(user.uid, signal);
      const threads = Math.min(options.threads, mostUserThreads);
      const { nice } = options;
      return workersOf(await startUserProcess({ user, fds, threads, nice, onEnd: leave }, signal));
    },
  };
}

function workersOf(pool: WorkerPool): Workers {
  return {
    under: (signal) => createPooledWork(pool, signal),
    touch: (stage) => pool.tell({ touch: stage }),
    closeDescriptors: (...fds) => pool.tell({ close: fds.filter((fd) => fd !== undefined) }),
    close: () => pool.close(),
  };
}
