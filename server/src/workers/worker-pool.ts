import { Piscina } from "piscina";
import { CacheError } from "../domain/cache-error.ts";
import { createClaim, takeClaim } from "./claim.ts";
import { type Answer, resultOf } from "./failure.ts";
import type { CancelFlag, Jobs } from "./jobs.ts";
import { heed, type Note } from "./note.ts";
import type { Order } from "./worker.ts";

/** Threads that run the jobs of jobs.ts, here or in another process. */
export interface WorkerPool {
  readonly threads: number;
  /**
   * Runs a job on one of the threads. Once `signal` aborts, throws its reason: at once if the job has
   * not started, otherwise after its next checkpoint. `transfer` lists memory and ports of the job that
   * move to the thread. Throws the job's CacheError, or OVERLOADED where no thread can be started.
   */
  run<Name extends keyof Jobs>(
    name: Name,
    job: Parameters<Jobs[Name]>[0],
    signal: AbortSignal,
    transfer?: readonly (ArrayBufferLike | import("node:worker_threads").MessagePort)[],
  ): Promise<Awaited<ReturnType<Jobs[Name]>>>;
  /** Has something done at once in the process of the threads; nobody learns how it went. */
  tell(note: Note): void;
  close(): Promise<void>;
}

/** Threads of this process. */
export interface ThreadPool extends WorkerPool {
  /** Starts the threads that stay, so that the first jobs do not wait for them. */
  warmUp(): void;
}

/** How many threads a pool has, of which priority (0 to 19; larger is lower), and how long they idle. */
export interface PoolOptions {
  readonly threads: number;
  readonly nice: number;
  readonly idleMs?: number;
  /** How many threads wait for work, once the pool had some or is warmed up; default: none. */
  readonly staying?: number;
}

/**
 * Long enough for the pauses within one transfer. An idle thread holds some 40 MiB, which a load right
 * after a save would add to its own.
 */
const leastIdleMs = 100;

/**
 * Makes a pool of `threads` threads of priority `nice` (0 to 19); they start when needed, and all but those that
 * wait for work end `idleMs` after their last one. Where work took more threads than these, fresh ones wait
 * instead: a thread keeps memory that large work took.
 */
export function createWorkerPool(options: PoolOptions): ThreadPool {
  const idleMs = Math.max(options.idleMs ?? 0, leastIdleMs);
  const staying = Math.min(options.staying ?? 0, options.threads);
  let pool: Piscina<Order, Answer> | undefined;
  // Those that stay start with it.
  const started = () => (pool ??= startThreads({ ...options, idleMs, staying }, giveUpWaiting));
  const flags = new WeakMap<AbortSignal, CancelFlag>();
  /** Gives up the jobs that no thread has taken yet. */
  const waiting = new Set<(reason: CacheError) => void>();
  const giveUpWaiting = (error: unknown) => {
    // Those threads that did start will come to the jobs.
    if (pool && pool.threads.length > 0) return;
    for (const giveUp of waiting) giveUp(noThread(error));
  };

  let running = 0;
  let grew = false;
  let closed = false;
  let idle: NodeJS.Timeout | undefined;
  const replaceThreads = () => {
    const used = pool;
    pool = undefined;
    grew = false;
    void used?.destroy();
    started();
  };
  const begin = () => {
    running += 1;
    clearTimeout(idle);
  };
  const end = () => {
    running -= 1;
    if (running === 0 && grew && staying > 0 && !closed)
      idle = setTimeout(replaceThreads, idleMs).unref();
  };

  return {
    threads: options.threads,
    async run(name, job, signal, transfer = []) {
      signal.throwIfAborted();
      const claim = createClaim();
      const order: Order = { name, job, flag: flagOf(signal, flags), claim };
      const { promise: givenUp, reject } = Promise.withResolvers<never>();
      const giveUp = (reason: unknown) => takeClaim(claim) && reject(reason);
      const onAbort = () => giveUp(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      waiting.add(giveUp);
      begin();
      try {
        const threads = started();
        // A job that is given up still has its thread, so its own end counts.
        const done = threads.run(order, { transferList: transfer as never }).finally(end);
        grew ||= threads.threads.length > staying;
        const answer = await Promise.race([done, givenUp]);
        return resultOf(answer, signal) as never;
      } catch (error) {
        throw isStartFailure(error) ? noThread(error) : error;
      } finally {
        waiting.delete(giveUp);
        signal.removeEventListener("abort", onAbort);
      }
    },
    tell: heed,
    warmUp: () => void started(),
    async close() {
      closed = true;
      clearTimeout(idle);
      await pool?.destroy();
    },
  };
}

function startThreads(
  { threads, nice, idleMs, staying }: Required<PoolOptions>,
  onError: (error: unknown) => void,
): Piscina<Order, Answer> {
  const pool = new Piscina<Order, Answer>({
    filename: new URL(
      import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js",
      import.meta.url,
    ).href,
    minThreads: staying,
    maxThreads: threads,
    idleTimeout: idleMs,
    concurrentTasksPerWorker: 1,
    // Descriptors outlive the thread that opened them, so it must close none when it ends.
    trackUnmanagedFds: false,
    workerData: { nice },
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  });
  pool.on("error", onError);
  return pool;
}

function isStartFailure(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ERR_WORKER_INIT_FAILED";
}

function noThread(cause: unknown): CacheError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CacheError("OVERLOADED", `the daemon cannot start a worker thread now: ${why}`, {
    cause,
  });
}

/** One flag for all jobs of a signal. */
function flagOf(signal: AbortSignal, flags: WeakMap<AbortSignal, CancelFlag>): CancelFlag {
  let flag = flags.get(signal);
  if (!flag) {
    const raised = new Int32Array(new SharedArrayBuffer(4));
    signal.addEventListener("abort", () => Atomics.store(raised, 0, 1), { once: true });
    flags.set(signal, raised);
    flag = raised;
  }
  return flag;
}
