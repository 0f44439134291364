import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
  type CacheClient,
  createCacheClient,
  type Environment,
} from "../clients/typescript/src/index.ts";
import { atExit } from "../fixtures/at-exit.ts";
import { type Cost, cpuSecondsOf, timed } from "./measure.ts";
import { packagedServer } from "./packaged-server.ts";

/** Any environment does: archives differ only by its name. */
const environment: Environment = {
  torchVersion: "2.11.0",
  cudaVersion: "13.0",
  computeCapability: "9.0",
  tritonVersion: "3.6.0",
};

export type DaemonCost = Cost & {
  /** Most memory that the daemon held meanwhile. */
  readonly peakRssBytes: number;
};

/** What the daemon's event loop said of itself: how late its timers came, in milliseconds. */
export interface LoopDelay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A daemon that is measured, and a client that is connected to it. */
export interface MeasuredDaemon {
  readonly pid: number;
  readonly address: string;
  readonly client: CacheClient;
  /** Saves or loads a directory, and says what that took. Throws unless it succeeds. */
  save(localDir: string): Promise<DaemonCost & { archiveBytes: number }>;
  load(localDir: string): Promise<DaemonCost>;
  /** Starts a load that nobody waits for; returns its operation id. */
  startLoad(localDir: string): Promise<string>;
  /** Starts a save of a namespace of its own, so that it never finds the cache saved. */
  startSave(localDir: string): Promise<string>;
  /** Waits for the end of a transfer; throws unless it succeeded. */
  finished(operationId: string): Promise<void>;
  /** Forgets what the event loop has said so far, or tells it. */
  loopDelay(order: "reset" | "read"): Promise<LoopDelay>;
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
}

const loopDelayProbe = import.meta.resolve("./probes/loop-delay.ts");
const archiveLimitMb = 64 * 1024;

/** Starts `compilecache serve` on a socket of its own, with limits that no cache here meets. */
export async function startDaemon(options: DaemonOptions): Promise<MeasuredDaemon> {
  const { dir, allowedDirs, storeDir = join(dir, "store") } = options;
  mkdirSync(storeDir, { recursive: true });
  const address = `unix:${join(dir, "daemon.sock")}`;
  const program = await packagedServer();
  const command = [process.execPath, `--import=${loopDelayProbe}`, program, "serve"];
  if (options.cpus) command.unshift("taskset", "--cpu-list", options.cpus.join(","));
  const child = spawn(command[0] as string, command.slice(1), {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
    env: {
      PATH: process.env.PATH,
      COMPILE_CACHE_LISTEN: address,
      COMPILE_CACHE_STORE: `file://${storeDir}`,
      TORCH_CACHE_DIR: allowedDirs[0],
      COMPILE_CACHE_ALLOWED_DIRS: allowedDirs.join(","),
      MAX_CACHE_SIZE_MB: String(archiveLimitMb),
      LOG_FORMAT: "json",
      ...options.variables,
      ...(options.workers ? { COMPILE_CACHE_WORKERS: String(options.workers) } : {}),
    },
  });
  const kill = atExit(() => child.kill("SIGKILL"));
  let stopping = false;
  const ended = once(child, "exit").then(([code, signal]) => {
    // Nobody waits for this while the daemon lives, so that it ends the bench.
    if (!stopping) throw new Error(`the daemon ended with ${signal ?? code}`);
  });
  await Promise.race([listening(child), ended]);
  const pid = child.pid as number;
  const client = createCacheClient({ address, namespace: "bench" });

  const costOf = async (body: () => Promise<{ status: string }>): Promise<DaemonCost> => {
    // Lets the kernel forget the peak so far.
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
    async loopDelay(order) {
      child.send(order);
      const [answer] = await once(child, "message");
      return answer as LoopDelay;
    },
    async stop() {
      stopping = true;
      client.close();
      child.kill("SIGTERM");
      await ended;
      kill();
    },
  };
}

function listening(child: ChildProcess): Promise<void> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return new Promise((resolve) => {
    // Reading on keeps the daemon from waiting for room in the pipe.
    lines.on("line", (line) => {
      if (line.includes('"listening"')) resolve();
    });
  });
}

function peakRssBytesOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
