import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CacheClient, createCacheClient } from "../clients/typescript/src/index.ts";
import { startDaemonProcess } from "../fixtures/daemon-process.ts";
import { type Cost, cpuSecondsOf, timed } from "./cost.ts";
import { packagedServer } from "./packaged-server.ts";
import { environment } from "./source-cache.ts";

export type DaemonCost = Cost & {
  /** The most memory that the daemon held meanwhile. */
  readonly peakRssBytes: number;
};

/** A daemon that is measured, and a client that is connected to it. */
export interface MeasuredDaemon {
  readonly pid: number;
  readonly address: string;
  readonly client: CacheClient;
  /** Saves or loads a directory, and returns what that took. Throws unless it succeeds. */
  save(localDir: string): Promise<DaemonCost & { archiveBytes: number }>;
  load(localDir: string): Promise<DaemonCost>;
  /** Starts a load without waiting for its end; returns its operation id. */
  startLoad(localDir: string): Promise<string>;
  /** Starts a save in another namespace without waiting for its end; returns its operation id. */
  startSave(localDir: string): Promise<string>;
  /** Waits for the end of a transfer; throws unless it succeeded. */
  finished(operationId: string): Promise<void>;
  /**
   * How late the timers of the daemon's event loop have fired since the last "reset", which the first
   * call must be: the 99th percentile, in milliseconds.
   */
  loopP99Ms(order: "reset" | "read"): Promise<number>;
  stop(): Promise<void>;
}

export interface DaemonOptions {
  /** Where its socket lies, and its store unless that is named. */
  readonly dir: string;
  /** Directories that it may read and write. */
  readonly allowedDirs: readonly string[];
  readonly storeDir?: string;
  /** Further variables, such as those that name another store. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Worker threads; default: its own. */
  readonly workers?: number;
  /** CPUs that it may use; default: all. */
  readonly cpus?: readonly number[];
  /** Whether loopP99Ms is asked for. The probe costs each thread some 10 MiB and a compilation. */
  readonly watchesLoop?: boolean;
}

const loopDelayProbe = import.meta.resolve("./probes/loop-delay.ts");
const archiveLimitMb = 64 * 1024;

/** Starts the packaged daemon on its own socket, with limits that no cache here reaches. */
export async function startDaemon(options: DaemonOptions): Promise<MeasuredDaemon> {
  const { dir, allowedDirs, storeDir = join(dir, "store") } = options;
  mkdirSync(storeDir, { recursive: true });
  const address = `unix:${join(dir, "daemon.sock")}`;
  const daemon = startDaemonProcess({
    program: await packagedServer(),
    nodeFlags: options.watchesLoop ? [`--import=${loopDelayProbe}`] : [],
    wrapper: options.cpus ? ["taskset", "--cpu-list", options.cpus.join(",")] : [],
    hasChannel: options.watchesLoop === true,
    environment: {
      COMPILE_CACHE_LISTEN: address,
      COMPILE_CACHE_STORE: `file://${storeDir}`,
      TORCH_CACHE_DIR: allowedDirs[0],
      COMPILE_CACHE_ALLOWED_DIRS: allowedDirs.join(","),
      MAX_CACHE_SIZE_MB: String(archiveLimitMb),
      // The channel would not survive the daemon's start of itself anew.
      ...(options.watchesLoop ? { MALLOC_ARENA_MAX: "2" } : {}),
      ...options.variables,
      ...(options.workers ? { COMPILE_CACHE_WORKERS: String(options.workers) } : {}),
    },
  });
  const { child } = daemon;
  await daemon.line("listening");
  let isStopping = false;
  // No code awaits this while the daemon lives: a daemon that ends too early ends the bench.
  daemon.ended.then(({ code, signal }) => {
    if (!isStopping)
      throw new Error(`the daemon ended with ${signal ?? code}:\n${daemon.output()}`);
  });
  const pid = child.pid as number;
  const client = createCacheClient({ address, namespace: "bench" });

  const costOf = async (body: () => Promise<{ status: string }>): Promise<DaemonCost> => {
    // This resets the kernel's record of the peak.
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
    const cost = await timed(
      () => cpuSecondsOf(pid),
      async () => {
        const { status } = await body();
        if (status !== "success") throw new Error(`the daemon's answer was ${status}`);
      },
    );
    return { ...cost, peakRssBytes: peakRssBytesOf(pid) };
  };

  return {
    pid,
    address,
    client,
    async save(localDir) {
      let archiveBytes = 0;
      const cost = await costOf(async () => {
        const result = await client.save({ environment, localDir, ifStoredExists: "replace" });
        archiveBytes = result.cache?.archiveBytes ?? 0;
        return result;
      });
      return { ...cost, archiveBytes };
    },
    load: (localDir) => costOf(() => client.load({ environment, localDir })),
    async startLoad(localDir) {
      const { transfer } = await client.load({ environment, localDir, detach: true });
      return transfer.operationId;
    },
    async startSave(localDir) {
      const namespace = "bench-other";
      const { transfer } = await client.save({
        namespace,
        environment,
        localDir,
        detach: true,
        ifStoredExists: "replace",
      });
      return transfer.operationId;
    },
    async finished(operationId) {
      let status = "";
      for await (const transfer of client.watch(operationId)) status = transfer.status;
      if (status !== "success") throw new Error(`the transfer ended in ${status}`);
    },
    async loopP99Ms(order) {
      child.send(order);
      const [answer] = await once(child, "message");
      return answer;
    },
    async stop() {
      isStopping = true;
      client.close();
      await daemon.end();
    },
  };
}

function peakRssBytesOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
