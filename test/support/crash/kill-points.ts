import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** The system calls that change what is on disk, or make it last. */
const changing = [
  ...["openat", "mkdir", "rmdir", "link", "unlink", "rename", "renameat2", "ftruncate"],
  ...["pwrite64", "copy_file_range", "fsync", "fdatasync", "fchmod", "fchown", "utimensat"],
];

/** A moment to kill a process at: as a thread of it makes its nth system call of that name. */
export interface KillPoint {
  readonly syscall: string;
  /** From 1, counted for each thread from when the tracing began. */
  readonly nth: number;
  /** The call as strace shows it. */
  readonly seen: string;
}

/** Why no process can be traced here, or undefined. */
export function whyUntraceable(): string | undefined {
  const { error, stderr } = spawnSync("strace", ["-qq", "-o", "/dev/null", "true"]);
  if (error) return "strace is missing (apt-get install strace)";
  if (stderr.length > 0) return stderr.toString().trim();
  const scope = "/proc/sys/kernel/yama/ptrace_scope";
  const mayAttach =
    process.geteuid?.() === 0 || !existsSync(scope) || /^0/.test(readFileSync(scope, "utf8"));
  return mayAttach ? undefined : `${scope} lets no process trace a sibling`;
}

/** Has a process killed at a point: with SIGKILL, and before that system call is done. */
export async function killAt(pid: number, { syscall, nth }: KillPoint): Promise<void> {
  await trace(pid, ["-o", "/dev/null", "-e", `inject=${syscall}:signal=KILL:when=${nth}`]);
}

/**
 * Has a process stopped, with SIGSTOP, as soon as its first system call of that name is done: on that
 * very path, where one is given.
 */
export async function stopAfterFirst(pid: number, syscall: string, path?: string): Promise<void> {
  const where = path === undefined ? [] : ["-P", path];
  await trace(pid, ["-o", "/dev/null", ...where, "-e", `inject=${syscall}:signal=STOP:when=1`]);
}

/** What a process did from when it was attached to. */
export interface Recording {
  /** The points that it passed, in order. Waits for its end. */
  points(): Promise<KillPoint[]>;
}

/** Notes in a file each point that a process passes. */
export async function record(pid: number, log: string): Promise<Recording> {
  const { ended } = await trace(pid, ["-o", log]);
  return {
    async points() {
      await ended;
      return parseLog(readFileSync(log, "utf8"));
    },
  };
}

/** Attaches strace to all threads of a process. Resolves once it has; `ended` comes with its end. */
async function trace(pid: number, options: string[]): Promise<{ ended: Promise<unknown> }> {
  const traced = ["-f", "-p", String(pid), "-e", `trace=${changing}`, "-e", "signal=none"];
  const strace = spawn("strace", [...traced, ...options], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(strace, "exit");
  const [line] = await once(createInterface(strace.stderr), "line");
  if (!String(line).includes(" attached")) throw new Error(String(line));
  return { ended };
}

/** The calls that a program makes no other number of times from one start to the next. */
const countable = changing.filter((name) => name !== "openat");

/** A command that runs the command which follows it, and has that killed at a point. */
export function killedAt({ syscall, nth }: KillPoint): string[] {
  return straced("/dev/null", "-e", `inject=${syscall}:signal=KILL:when=${nth}`);
}

/** One that notes in a file the points which the command passes: `pointsIn` that file has them. */
export function recordedIn(log: string): string[] {
  return straced(log);
}

export function pointsIn(log: string): KillPoint[] {
  return parseLog(readFileSync(log, "utf8"));
}

function straced(log: string, ...more: string[]): string[] {
  const traced = ["-f", "-qq", "-e", `trace=${countable}`, "-e", "signal=none"];
  return ["strace", ...traced, "-o", log, ...more];
}

function parseLog(log: string): KillPoint[] {
  const counts = new Map<string, number>();
  const points: KillPoint[] = [];
  for (const line of log.split("\n")) {
    const [, thread, syscall = ""] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (thread === undefined) continue;
    const nth = (counts.get(`${thread} ${syscall}`) ?? 0) + 1;
    counts.set(`${thread} ${syscall}`, nth);
    // Opening changes nothing unless it creates.
    if (syscall === "openat" && !line.includes("O_CREAT")) continue;
    points.push({ syscall, nth, seen: line.slice(thread.length).trim() });
  }
  return points;
}
