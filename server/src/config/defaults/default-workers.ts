import { availableParallelism, totalmem } from "node:os";
import { cgroupMemory } from "../../local/space/cgroup-memory.ts";

export const mostWorkers = 256;

/** What a thread takes at most, with the frame that it packs or unpacks. */
const bytesPerWorker = 64 * 1024 * 1024;
/** Most of the memory is the model's. */
const shareOfMemory = 1 / 4;

/**
 * How many worker threads a daemon has unless told otherwise: one for each CPU that it may use, but no
 * more than fit into a quarter of the memory that it may use, and at least one.
 */
export function defaultWorkers(
  cpus = availableParallelism(),
  memoryBytes = Math.min(totalmem(), cgroupMemory().limitBytes),
): number {
  const fitting = Math.floor((memoryBytes * shareOfMemory) / bytesPerWorker);
  return Math.min(cpus, mostWorkers, Math.max(1, fitting));
}
