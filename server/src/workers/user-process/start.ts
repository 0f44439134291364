import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { User } from "../../local/open-directory.ts";
import type { PoolOptions, WorkerPool } from "../worker-pool.ts";
import type { StartOptions } from "./messages.ts";
import { cannotStart, UserProcess } from "./user-process.ts";

export interface UserProcessOptions extends PoolOptions {
  readonly user: User;
  /** Descriptors of this process that the other gets, from `firstInheritedFd` on. */
  readonly fds: readonly number[];
  /** Called once, when there is no such process any more. */
  readonly onEnd: () => void;
}

/** How long what is under way may take once it was cancelled, tidying up included, before it is killed. */
const endsWithinMs = 60_000;

/**
 * Starts a process that runs jobs with a user's rights and no others, on threads of its own. It has none
 * of the daemon's variables, which may hold credentials, and ends with the daemon. Throws
 * LOCAL_UNAVAILABLE if this process may not become that user, OVERLOADED where no process can be started,
 * and the reason of `signal`; some time after that aborts, the process is killed.
 */
export async function startUserProcess(
  { user, fds, threads, nice, onEnd }: UserProcessOptions,
  signal: AbortSignal,
): Promise<WorkerPool> {
  const options: StartOptions = { user, threads, nice };
  let started: UserProcess;
  try {
    started = new UserProcess(launch(options, fds), user, threads);
  } catch (error) {
    onEnd();
    throw cannotStart(error);
  }
  const overdue = timerFrom(signal, endsWithinMs, () => started.kill());
  started.ended.then(() => {
    overdue.cancel();
    onEnd();
  });
  try {
    await started.ready;
    signal.throwIfAborted();
    return started;
  } catch (error) {
    await started.close();
    throw error;
  }
}

function launch(options: StartOptions, fds: readonly number[]): ChildProcess {
  const { execPath } = process;
  const inSource = import.meta.url.endsWith(".ts");
  const program = new URL(inSource ? "./program.ts" : "./user-process.js", import.meta.url);
  // Where a Node finds its libraries, without which it may not start, and how it uses memory.
  const kept = ["LD_LIBRARY_PATH", "MALLOC_ARENA_MAX"];
  const env = Object.fromEntries(
    kept.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return spawn(execPath, [fileURLToPath(program), JSON.stringify(options)], {
    stdio: ["ignore", "ignore", "inherit", "ipc", ...fds],
    cwd: "/",
    env,
    serialization: "advanced",
  });
}

/** Calls `then` some time after a signal aborted, unless that is cancelled. */
function timerFrom(signal: AbortSignal, ms: number, then: () => void) {
  let timer: NodeJS.Timeout | undefined;
  const onAbort = () => {
    timer = setTimeout(then, ms).unref();
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return {
    cancel: () => {
      signal.removeEventListener("abort", onAbort);
      clearTimeout(timer);
    },
  };
}
