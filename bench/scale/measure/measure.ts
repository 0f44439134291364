import { join } from "node:path";
import { type ObjectServer, startObjectServer } from "../../../fixtures/object-server.ts";
import { cpuSecondsOf } from "../../cost.ts";
import { describeMachine } from "../../report/machine.ts";
import { createScratch, emptyDirectory, type Scratch } from "../../scratch.ts";
import { describeCache, prepareCache, type SourceCache } from "../../source-cache.ts";
import type { Figures, StoreKind } from "../figures.ts";
import { callsOfFileStore, callsOfObjectStore } from "./calls.ts";
import { type ScaleDaemon, startScaleDaemon } from "./daemon.ts";
import { type LimitedProxy, startLimitedProxy } from "./limited-proxy.ts";
import { crowdsOf, measureNarrow, measureShared } from "./loads.ts";
import { measureSaves } from "./saves.ts";

/** What the parts of the measurement share. */
export interface Bench {
  readonly dir: string;
  readonly source: SourceCache;
  readonly server: ObjectServer;
  readonly proxy: LimitedProxy;
  /** How often what varies is measured. */
  readonly rounds: number;
  /** What a daemon of this store is told, without and with the proxy in its way. */
  variables(store: StoreKind, prefix: string, way?: "direct" | "proxy"): Record<string, string>;
  serverCpuS(store: StoreKind): number;
  start(store: StoreKind, prefix: string, count: number): Promise<ScaleDaemon[]>;
  say(text: string): void;
  /** Whether so much time has passed that no more is measured twice than must be. */
  isLate(): boolean;
}

/** All is to end within six minutes; what comes after the loads takes two. */
const lateAfterS = 200;
const daemonCounts = [1, 2, 4, 8, 16];
/** Of one daemon that loads, over what it writes. */
const bytesPerDaemon = 450e6;
const leftFreeBytes = 2e9;

/** Measures with as many daemons as there is memory for, 16 at most. */
export async function measure(options: {
  cache: string | undefined;
  rounds: number;
  say: (text: string) => void;
}): Promise<Figures> {
  const { cache, rounds, say } = options;
  const scratch = createScratch(2e9);
  const source = prepareCache(scratch.dir, cache);
  const most = Math.floor((scratch.free() - leftFreeBytes) / (source.bytes + bytesPerDaemon));
  const counts = daemonCounts.filter((count) => count <= Math.max(1, most));
  const server = await startObjectServer("versitygw", emptyDirectory(join(scratch.dir, "objects")));
  const proxy = await startLimitedProxy(server.port);
  const bench = createBench({ scratch, source, server, proxy, rounds, say });
  try {
    say(`with up to ${counts.at(-1)} daemons, on ${scratch.kind}`);
    const calls = {
      file: await callsOfFileStore(bench),
      s3: await callsOfObjectStore(bench),
    };
    const loads = {
      file: await crowdsOf(bench, "file", counts),
      s3: await crowdsOf(bench, "s3", counts),
    };
    const shared = {
      file: await measureShared(bench, "file"),
      s3: await measureShared(bench, "s3"),
    };
    const narrow = await measureNarrow(bench);
    const saves = await measureSaves(bench);
    return {
      at: new Date().toISOString(),
      machine: describeMachine(),
      subject: describeCache(source),
      archiveBytes: calls.s3.save.upBytes,
      contentBytes: source.bytes,
      fileCount: source.fileCount,
      calls,
      loads,
      shared,
      narrow,
      saves,
    };
  } finally {
    proxy.close();
    await server.kill("SIGKILL");
    scratch.remove();
  }
}

function createBench(parts: {
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
