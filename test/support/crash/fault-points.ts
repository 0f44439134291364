import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** A system call that may fail: the nth of that name which a thread makes while work is done. */
export interface FaultPoint {
  /** Name and priority of the thread, which last longer than its id. */
  readonly thread: string;
  readonly syscall: string;
  /** From 1. */
  readonly nth: number;
  /** The call as strace shows it. */
  readonly seen: string;
}

/** Threads that touch files; the others have nothing to do with the store or a local directory. */
const workingThread = /^(libuv-worker|WorkerThread)/;
/** Calls that cannot fail, and those by which threads wake each other. */
/** Longer than anything that is tried meanwhile. */
const hangSeconds = 60;
const passedOver = new Set(["close", "fcntl", "read", "write"]);

/** Notes each system call on a path that `isOurs` while a process does its work. */
export async function recordFaultPoints(
  pid: number,
  log: string,
  isOurs: (line: string) => boolean,
  work: () => Promise<void>,
): Promise<FaultPoint[]> {
  const threads = [...threadsOf(pid)].filter(([name]) => workingThread.test(name));
  const ids = threads.map(([, id]) => id);
  const names = new Map(threads.map(([name, id]) => [id, name]));
  await whileTracing(ids, ["-y", "-e", "trace=%file,%desc", "-o", log], work);
  const counts = new Map<string, number>();
  const points: FaultPoint[] = [];
  for (const line of readFileSync(log, "utf8").split("\n")) {
    const [, id = "", syscall = ""] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    const key = `${id} ${syscall}`;
    const nth = (counts.get(key) ?? 0) + 1;
    counts.set(key, nth);
    const thread = names.get(id);
    if (thread !== undefined && !passedOver.has(syscall) && isOurs(line))
      points.push({ thread, syscall, nth, seen: line.slice(id.length).trim() });
  }
  return points;
}

/** Does work while the call at a point fails, or is held up, as `what` says. Throws if it never came. */
export async function withFault(
  pid: number,
  { thread, syscall, nth }: FaultPoint,
  what: string,
  log: string,
  work: () => Promise<void>,
): Promise<void> {
  const id = threadsOf(pid).get(thread);
  if (id === undefined) throw new Error(`there is no thread ${thread}`);
  const inject = `inject=${syscall}:${what}:when=${nth}`;
  await whileTracing([id], ["-e", `trace=${syscall}`, "-e", inject, "-o", log], work);
  if (!/INJECTED|DELAYED/.test(readFileSync(log, "utf8"))) throw new Error("the call never came");
}

/** Does work while, in each thread of a process, the first call of that name does not return. */
export async function whileHanging(
  pid: number,
  syscall: string,
  work: () => Promise<void>,
): Promise<void> {
  const inject = `inject=${syscall}:delay_enter=${hangSeconds * 1_000_000}:when=1`;
  const options = ["-f", "-e", `trace=${syscall}`, "-e", inject, "-o", "/dev/null"];
  await whileTracing([String(pid)], options, work);
}

/** The threads of a process, by name and priority. */
function threadsOf(pid: number): Map<string, string> {
  const threads = new Map<string, string>();
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8");
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const nice = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16];
    threads.set(`${name} ${nice}`, id);
  }
  return threads;
}

async function whileTracing(
  threadIds: readonly string[],
  options: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  const attach = threadIds.flatMap((id) => ["-p", id]);
  const strace = spawn("strace", [...attach, "-e", "signal=none", ...options], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(strace, "exit");
  try {
    let attached = 0;
    for await (const line of createInterface(strace.stderr)) {
      if (!line.includes(" attached")) throw new Error(line);
      attached += 1;
      if (attached === threadIds.length) break;
    }
    await work();
  } finally {
    strace.kill("SIGINT");
    await ended;
  }
}
