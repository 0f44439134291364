import { readFileSync, statSync } from "node:fs";

/** What a daemon writes beside its Unix socket, as `<socket>.json`, of itself. */
export interface DaemonState {
  readonly pid: number;
  /** Which process the pid means: another may have it later, or in another container. */
  readonly process: string;
  readonly version: string;
  /** `file://` and a path, or `s3://bucket/prefix`. */
  readonly store: string;
  /** Where it listens. */
  readonly addresses: readonly string[];
  /** The file that its log goes to; null where that is no file. */
  readonly log: string | null;
  /** In ISO 8601. */
  readonly started_at: string;
  /** In words. */
  readonly started_by: string;
  /** Since when it takes no new work, and finishes what runs, in ISO 8601; absent while it serves. */
  readonly stopping_since?: string;
}

const mostBytes = 64 * 1024;
const texts = ["process", "version", "store", "started_at", "started_by"] as const;

/** The file beside a socket. */
export function statePathOf(socketPath: string): string {
  return `${socketPath}.json`;
}

/** What the daemon of a socket says of itself; undefined where nothing is said, or nothing that makes sense. */
export function readDaemonState(socketPath: string): DaemonState | undefined {
  const path = statePathOf(socketPath);
  try {
    const found = statSync(path);
    if (!found.isFile() || found.size > mostBytes) return undefined;
    const state = JSON.parse(readFileSync(path, "utf8"));
    return isState(state) ? state : undefined;
  } catch {
    return undefined;
  }
}

function isState(found: unknown): found is DaemonState {
  const state = (found ?? {}) as Partial<DaemonState>;
  return (
    Number.isSafeInteger(state.pid) &&
    Number(state.pid) > 0 &&
    texts.every((name) => typeof state[name] === "string") &&
    Array.isArray(state.addresses) &&
    state.addresses.every((address) => typeof address === "string") &&
    (state.log === null || typeof state.log === "string")
  );
}

/**
 * Which process a pid means now: this boot of the machine, the namespace of pids, and when the process
 * started. Undefined where there is none.
 */
export function processIdentity(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The program's name, in brackets, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended.
    return fields[0] === "Z" || fields[0] === "X" ? undefined : `${pidSpace()} ${fields[19]}`;
  } catch {
    return undefined;
  }
}

function pidSpace(): string {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const { ino } = statSync("/proc/self/ns/pid", { bigint: true });
  return `${boot} ${ino}`;
}

/** Whether the daemon runs; `unknown` where its pid means nothing here, as in another container. */
export function stateOfLife({ pid, process }: DaemonState): "runs" | "gone" | "unknown" {
  if (processIdentity(pid) === process) return "runs";
  try {
    return process.startsWith(`${pidSpace()} `) ? "gone" : "unknown";
  } catch {
    return "unknown";
  }
}
