import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { toolVersion } from "../../server/src/domain/tool-version.ts";

/** The machine that the numbers were measured on, and the version of the sources. */
export function describeMachine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    compilecache: toolVersion,
    commit: commit(),
  };
}
export type Machine = ReturnType<typeof describeMachine>;

/** When (`at`, ISO 8601), on which commit and on which machine figures were measured, as text to show. */
export function originText(at: string, machine: Machine): string {
  const { commit, node, cores, cpu, memoryBytes, kernel } = machine;
  const memory = `${Math.round(memoryBytes / 1024 ** 3)} GiB`;
  return `${at.slice(0, 10)}, commit ${commit}, Node ${node}, ${cores} cores (${cpu}), ${memory}, Linux ${kernel}`;
}

/** The commit of the sources, with a plus after it if they have been changed since. */
function commit(): string {
  const git = (...args: string[]) =>
    execFileSync("git", args, {
      cwd: import.meta.dirname,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no") !== "";
    return git("rev-parse", "--short", "HEAD") + (changed ? "+" : "");
  } catch {
    return "unknown";
  }
}
