import { join } from "node:path";
import type { ObjectServer } from "../../../fixtures/object-server.ts";
import { cpuSecondsOf } from "../../cost.ts";
import { emptyDirectory, type Scratch } from "../../scratch.ts";
import type { SourceCache } from "../../source-cache.ts";
import type { StoreKind } from "../figures.ts";
import { type ScaleDaemon, startScaleDaemon } from "./daemon.ts";
import type { LimitedProxy } from "./limited-proxy.ts";

/** What the parts of the measurement share. */
export interface Bench {
  readonly dir: string;
  readonly source: SourceCache;
  readonly server: ObjectServer;
  readonly proxy: LimitedProxy;
  /** How often measurements that vary are repeated. */
  readonly rounds: number;
  /** The variables of a daemon over this store, directly or through the proxy. */
  variables(store: StoreKind, prefix: string, way?: "direct" | "proxy"): Record<string, string>;
  serverCpuS(store: StoreKind): number;
  start(store: StoreKind, prefix: string, count: number): Promise<ScaleDaemon[]>;
  say(text: string): void;
  /** Whether so much time has passed that further repetitions are skipped. */
  isLate(): boolean;
}

/** The whole bench should end within six minutes; the steps after the loads take two. */
const lateAfterS = 200;

/** Puts together what the parts share; the time for `isLate` starts now. */
export function createBench(parts: {
  scratch: Scratch;
  source: SourceCache;
  server: ObjectServer;
  proxy: LimitedProxy;
  rounds: number;
  say: (text: string) => void;
}): Bench {
  const { scratch, source, server, proxy, rounds, say } = parts;
  const { dir } = scratch;
  const variables: Bench["variables"] = (store, prefix, way = "direct") =>
    store === "s3"
      ? server.variables(prefix, way === "proxy" ? `http://127.0.0.1:${proxy.port}` : undefined)
      : { COMPILE_CACHE_STORE: `file://${join(dir, "stores", prefix)}` };
  emptyDirectory(join(dir, "stores"));
  const startedAt = performance.now();
  return {
    dir,
    source,
    server,
    proxy,
    rounds,
    say,
    variables,
    isLate: () => (performance.now() - startedAt) / 1000 > lateAfterS,
    serverCpuS: (store) => (store === "s3" ? cpuSecondsOf(server.pid()) : 0),
    start: (store, prefix, count) =>
      Promise.all(
        Array.from({ length: count }, (_, i) =>
          startScaleDaemon({
            dir: join(dir, `daemon-${i}`),
            source: dir,
            variables: variables(store, prefix),
          }),
        ),
      ),
  };
}
