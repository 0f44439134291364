import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CacheClient, createCacheClient } from "../../../clients/typescript/src/index.ts";
import { startDaemonProcess } from "../../../fixtures/daemon-process.ts";
import { cpuSecondsOf } from "../../cost.ts";
import { emptyDirectory } from "../../scratch.ts";

/** What a process has read and written so far, sockets included. */
export interface Moved {
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** A daemon over a store that others share, and a directory of its own. */
export interface ScaleDaemon {
  readonly client: CacheClient;
  /** Its own directory, with its socket and the caches that it loads. */
  readonly dir: string;
  /** CPU seconds that it has used. */
  cpuS(): number;
  moved(): Moved;
  /** Waits until it has logged this message. */
  logged(message: string): Promise<unknown>;
  /** How often it has logged this message so far. */
  count(message: string): number;
  stop(): Promise<void>;
}

/**
 * Starts a daemon with these variables. It may read and write `dir`, which is emptied, and `source`.
 * `wrapper` is a command that runs it, such as a tracer.
 */
export async function startScaleDaemon(options: {
  dir: string;
  source: string;
  variables: Readonly<Record<string, string>>;
  wrapper?: readonly string[];
}): Promise<ScaleDaemon> {
  const { dir, source, variables, wrapper = [] } = options;
  emptyDirectory(dir);
  const address = `unix:${join(dir, "daemon.sock")}`;
  const daemon = startDaemonProcess({
    wrapper,
    environment: {
      COMPILE_CACHE_LISTEN: address,
      TORCH_CACHE_DIR: dir,
      COMPILE_CACHE_ALLOWED_DIRS: `${dir},${source}`,
      ...variables,
    },
  });
  await daemon.line("listening");
  const client = createCacheClient({ address, namespace: "scale" });
  const pid = daemon.child.pid as number;
  return {
    client,
    dir,
    cpuS: () => cpuSecondsOf(pid),
    moved: () => movedBy(pid),
    logged: (message) => daemon.line(message),
    count: (message) => daemon.lines.filter((line) => line.message === message).length,
    async stop() {
      client.close();
      await daemon.end();
    },
  };
}

function movedBy(pid: number): Moved {
  const text = readFileSync(`/proc/${pid}/io`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1]);
  return { readBytes: field("rchar"), writtenBytes: field("wchar") };
}
