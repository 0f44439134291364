import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import {
  type CacheClient,
  createCacheClient,
  type Environment,
} from "../../clients/typescript/src/index.ts";
import { atExit } from "../../fixtures/at-exit.ts";
import { cpuSecondsOf } from "../measure.ts";
import { emptyDirectory } from "../scratch.ts";

/** Any environment does: archives differ only by its name. */
export const environment: Environment = {
  torchVersion: "2.11.0",
  cudaVersion: "13.0",
  computeCapability: "9.0",
  tritonVersion: "3.6.0",
};

/** What a process has read and written so far, sockets included. */
export interface Moved {
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** A daemon over a store that others share, and a directory of its own. */
export interface ScaleDaemon {
  readonly client: CacheClient;
  /** Its own; its socket and what it loads lie here. */
  readonly dir: string;
  /** CPU seconds that it has used. */
  cpuS(): number;
  moved(): Moved;
  /** Waits until it has logged this message; answers how often it has. */
  logged(message: string): Promise<number>;
  /** How often it has logged this message. */
  count(message: string): number;
  stop(): Promise<void>;
}

const program = fileURLToPath(import.meta.resolve("../../server/bin/compilecache.js"));

/**
 * Starts `compilecache serve` with these variables and a directory of its own, which it may read and
 * write, as it may `source`; `launcher` is a command that starts it.
 */
export async function startScaleDaemon(options: {
  dir: string;
  source: string;
  variables: Readonly<Record<string, string>>;
  launcher?: readonly string[];
}): Promise<ScaleDaemon> {
  const { dir, source, variables, launcher = [] } = options;
  emptyDirectory(dir);
  const address = `unix:${join(dir, "daemon.sock")}`;
  const command = [...launcher, process.execPath, program, "serve"];
  const child = spawn(command[0] as string, command.slice(1), {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env.PATH,
      COMPILE_CACHE_LISTEN: address,
      TORCH_CACHE_DIR: dir,
      COMPILE_CACHE_ALLOWED_DIRS: `${dir},${source}`,
      LOG_FORMAT: "json",
      ...variables,
    },
  });
  const kill = atExit(() => child.kill("SIGKILL"));
  const messages: string[] = [];
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  lines.on("line", (line) => {
    if (line.startsWith("{")) messages.push(JSON.parse(line).message);
  });
  const count = (message: string) => messages.filter((each) => each === message).length;
  const logged = async (message: string) => {
    while (count(message) === 0) {
      const [ended] = await Promise.race([
        once(lines, "line").then(() => [undefined]),
        once(child, "exit").then(([code, signal]) => [signal ?? code]),
      ]);
      if (ended !== undefined) throw new Error(`a daemon ended with ${ended}`);
    }
    return count(message);
  };
  await logged("listening");
  const client = createCacheClient({ address, namespace: "scale" });
  const pid = child.pid as number;
  return {
    client,
    dir,
    cpuS: () => cpuSecondsOf(pid),
    moved: () => movedBy(pid),
    logged,
    count,
    async stop() {
      client.close();
      await terminate(child);
      kill();
    },
  };
}

async function terminate(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

function movedBy(pid: number): Moved {
  const text = readFileSync(`/proc/${pid}/io`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1]);
  return { readBytes: field("rchar"), writtenBytes: field("wchar") };
}
