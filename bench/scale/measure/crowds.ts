import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Crowd } from "../figures.ts";
import type { Moved, ScaleDaemon } from "./daemon.ts";

/** One round of calls that all began at once. */
export interface Round {
  /** When each call that did not fail ended, in seconds, in order. */
  readonly endsS: number[];
  readonly statuses: readonly string[];
  readonly cpuS: number;
  readonly serverCpuS: number;
  readonly othersCpuS: number;
  readonly moved: readonly Moved[];
}

/** The directory that a daemon loads to. */
export const outOf = ({ dir }: ScaleDaemon) => join(dir, "loaded");

export function forget(daemon: ScaleDaemon): void {
  rmSync(outOf(daemon), { recursive: true, force: true });
}

/** Makes all calls at once, and waits for their ends; measures the cost of `daemons` meanwhile. */
export async function allAtOnce(options: {
  daemons: readonly ScaleDaemon[];
  serverCpuS: () => number;
  callers: readonly (() => Promise<{ status: string }>)[];
}): Promise<Round> {
  const { daemons, callers } = options;
  const look = () => ({
    cpuS: daemons.reduce((sum, daemon) => sum + daemon.cpuS(), 0),
    serverCpuS: options.serverCpuS(),
    ownCpuS: (process.cpuUsage().user + process.cpuUsage().system) / 1e6,
    machineCpuS: machineCpuS(),
    moved: daemons.map((daemon) => daemon.moved()),
  });
  const before = look();
  const startedAt = performance.now();
  const endsS: number[] = [];
  const statuses = await Promise.all(
    callers.map(async (call) => {
      try {
        const { status } = await call();
        endsS.push((performance.now() - startedAt) / 1000);
        return status;
      } catch {
        return "failed";
      }
    }),
  );
  const after = look();
  const usedOf = (what: "cpuS" | "serverCpuS" | "ownCpuS" | "machineCpuS") =>
    after[what] - before[what];
  const [cpuS, serverCpuS, ownCpuS] = [usedOf("cpuS"), usedOf("serverCpuS"), usedOf("ownCpuS")];
  return {
    endsS,
    statuses,
    cpuS,
    serverCpuS: serverCpuS,
    othersCpuS: Math.max(0, usedOf("machineCpuS") - cpuS - serverCpuS - ownCpuS),
    moved: after.moved.map((now, i) => ({
      readBytes: now.readBytes - (before.moved[i]?.readBytes ?? 0),
      writtenBytes: now.writtenBytes - (before.moved[i]?.writtenBytes ?? 0),
    })),
  };
}

/** The figures of several rounds of the same crowd. */
export function toCrowd(daemons: number, rounds: readonly Round[], direction: keyof Moved): Crowd {
  const sum = (moved: readonly Moved[]) => moved.reduce((sum, each) => sum + each[direction], 0);
  return {
    daemons,
    endsS: rounds.map(({ endsS }) => endsS),
    cpuS: rounds.map(({ cpuS }) => cpuS),
    serverCpuS: rounds.map(({ serverCpuS }) => serverCpuS),
    othersCpuS: rounds.map(({ othersCpuS }) => othersCpuS),
    movedBytes: rounds.map(({ moved }) => sum(moved)),
  };
}

/** CPU seconds that everything on this machine has used. */
function machineCpuS(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = readFileSync(
    "/proc/stat",
    "utf8",
  )
    .slice("cpu ".length)
    .trim()
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq) / 100;
}
