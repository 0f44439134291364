import { readFileSync } from "node:fs";

/** What a connection costs in memory, some 60 KB, makes 60 MB of so many. */
const most = 1024;
/** What is left to connections where few files may be open: work then does with less. */
const leastShare = 1 / 4;
/** What the program itself has open, and the store's connections. */
const ownDescriptors = 128;
/** A thread's own, and the files that it reads and writes; there are two pools of threads. */
const descriptorsPerWorker = 2 * 16;

/**
 * How many connections may be open unless told otherwise: so many that work always finds a descriptor,
 * of those that this process may have.
 */
export function defaultMaxConnections(workers: number, descriptors = descriptorLimit()): number {
  const left = descriptors - ownDescriptors - workers * descriptorsPerWorker;
  return Math.min(most, Math.max(left, Math.floor(descriptors * leastShare), 1));
}

/** How many files this process may have open; Node has raised it as far as it may. */
function descriptorLimit(): number {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}
