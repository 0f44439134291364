import { MessageChannel } from "node:worker_threads";
import type { ArchiveWork } from "../archive/archive-work.ts";
import { sendChunks } from "./chunk-channel.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** The archive's heavy steps on the threads of a pool; all of them stop once `signal` aborts. */
export function createArchiveWork(pool: WorkerPool, signal: AbortSignal): ArchiveWork {
  return {
    threads: pool.threads,
    scan: (job) => pool.run("scan", job, signal),
    compare: (job) => pool.run("compare", job, signal),
    inspectStage: (job) => pool.run("inspectStage", job, signal),
    packFrame: (job) => pool.run("packFrame", job, signal),
    unpackFrame: (job) => pool.run("unpackFrame", job, signal, [job.fetched.frame.buffer]),
    moveEntry: (job) => pool.run("moveEntry", job, signal),
    async unpackForeign(job, chunks, onReport) {
      const { port1, port2 } = new MessageChannel();
      let failure: { error: unknown } | undefined;
      const sending = sendChunks(port1, chunks, onReport).catch((error: unknown) => {
        failure = { error };
      });
      try {
        return await pool.run("unpackForeign", { ...job, port: port2 }, signal, [port2]);
      } catch (error) {
        throw failure ? failure.error : error;
      } finally {
        port1.close();
        await sending;
      }
    },
  };
}
