import { MessageChannel } from "node:worker_threads";
import type { FormatWork } from "../archive/format/port.ts";
import type { PackWork } from "../archive/pack/port.ts";
import type { UnpackWork } from "../archive/unpack/port.ts";
import type { LocalWork } from "../local/port.ts";
import { sendChunks } from "./chunk-channel.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** All work that runs on the threads of a pool: opening archives, packing, unpacking, and local directories. */
export type PooledWork = FormatWork & PackWork & UnpackWork & LocalWork;

/** Binds the jobs of a pool to a signal that stops them: see WorkerPool.run. */
export function createPooledWork(pool: WorkerPool, signal: AbortSignal): PooledWork {
  return {
    threads: pool.threads,
    scan: (job) => pool.run("scan", job, signal),
    compare: (job) => pool.run("compare", job, signal),
    inspectStage: (job) => pool.run("inspectStage", job, signal),
    packFrame: (job) => pool.run("packFrame", job, signal),
    decodeManifest: (payload) => pool.run("decodeManifest", payload, signal, [payload.buffer]),
    unpackFrame: (job) => pool.run("unpackFrame", job, signal, [job.fetched.frame.buffer]),
    relocateEntry: (job) => pool.run("relocateEntry", job, signal),
    async unpackForeignStream(job, chunks, onReport) {
      const { port1, port2 } = new MessageChannel();
      let failure: { error: unknown } | undefined;
      const sending = sendChunks(port1, chunks, onReport).catch((error: unknown) => {
        failure = { error };
      });
      try {
        return await pool.run("unpackForeignStream", { ...job, port: port2 }, signal, [port2]);
      } catch (error) {
        throw failure ? failure.error : error;
      } finally {
        port1.close();
        await sending;
      }
    },

    identify: (job) => pool.run("identify", job, signal),
    openDirectory: (job) => pool.run("openDirectory", job, signal),
    openUsersDirectory: (job) => pool.run("openUsersDirectory", job, signal),
    removeMadeDirectory: (directory) => pool.run("removeMadeDirectory", directory, signal),
    requireMayEmpty: (directory) => pool.run("requireMayEmpty", directory, signal),
    measureDirectory: (rootFd) => pool.run("measureDirectory", rootFd, signal),
    clearDirectory: (directory) => pool.run("clearDirectory", directory, signal),
    requireSpace: (job) => pool.run("requireSpace", job, signal),
    makeStage: (job) => pool.run("makeStage", job, signal),
    publishStage: (job) => pool.run("publishStage", job, signal),
    publishFile: (job) => pool.run("publishFile", job, signal),
    removeStage: (stage) => pool.run("removeStage", stage, signal),
    openSource: (path) => pool.run("openSource", path, signal),
    listSource: (source) => pool.run("listSource", source, signal),
    copyItems: (job) => pool.run("copyItems", job, signal),
  };
}
