/** Starts libuv's pool, whose size is read once, before the launcher asks for more threads. */
const startPool = "await(await(import('node:fs/promises'))).stat('/')";

/**
 * Variables with which a daemon makes the same calls in each run: strace counts those of each thread for
 * itself.
 */
export const onePoolThread = {
  UV_THREADPOOL_SIZE: "1",
  // A thread that is traced must still be there for the next case.
  COMPILE_CACHE_WORKER_IDLE_SECONDS: "600",
  // Else the daemon would start anew, with the launcher's number.
  MALLOC_ARENA_MAX: "2",
  NODE_OPTIONS: `--import=data:text/javascript,${startPool}`,
};
