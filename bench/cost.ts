import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

/** The time that something took, in seconds. */
export type Cost = {
  readonly wallS: number;
  readonly cpuS: number;
};

/** The unit of CPU time in /proc: Linux reports hundredths of a second on every machine. */
const ticksPerSecond = 100;

/** Times `body`; `cpuSeconds` is read before and after. */
export async function timed(cpuSeconds: () => number, body: () => Promise<unknown>): Promise<Cost> {
  const cpuBefore = cpuSeconds();
  const startedAt = performance.now();
  await body();
  const wallS = (performance.now() - startedAt) / 1000;
  return { wallS, cpuS: cpuSeconds() - cpuBefore };
}

/** Runs a program to its end and times it, with all that it started. Throws if it fails. */
export function timeCommand(command: string, args: readonly string[]): Promise<Cost> {
  return timed(childrenCpuSeconds, async () => {
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });
    await succeed(child, command);
  });
}

/** Waits for the end of a program; throws if it fails. */
export async function succeed(child: ChildProcess, name: string): Promise<void> {
  const [code, signal] = await once(child, "exit");
  if (code !== 0) throw new Error(`${name} ended with ${signal ?? code}`);
}

/** CPU seconds that a process has used, in all its threads. */
export function cpuSecondsOf(pid: number): number {
  const { utime, stime } = statOf(pid);
  return (utime + stime) / ticksPerSecond;
}

/** CPU seconds that the ended children of this process have used, and theirs. */
function childrenCpuSeconds(): number {
  const { cutime, cstime } = statOf("self");
  return (cutime + cstime) / ticksPerSecond;
}

function statOf(pid: number | "self") {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold spaces, so the fields are counted after it.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number) as [
    number,
    number,
    number,
    number,
  ];
  return { utime, stime, cutime, cstime };
}
