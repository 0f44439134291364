import { execFileSync } from "node:child_process";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom } from "../../../fixtures/random.ts";
import { emptyDirectory } from "../../scratch.ts";
import { environment } from "../../source-cache.ts";
import type { Calls, Operation } from "../figures.ts";
import type { Bench } from "./bench.ts";
import { type ScaleDaemon, startScaleDaemon } from "./daemon.ts";
import { createFileCallCounter, tracing } from "./file-calls.ts";

type CallCounts = Omit<Calls, "cpuS" | "wallS">;

/** Counts the calls on a file store with a tracer, which makes the times worthless. */
export async function callsOfFileStore({ dir, source, variables, say }: Bench) {
  say("calls on the file store");
  const trace = join(emptyDirectory(join(dir, "trace")), "calls");
  writeFileSync(trace, "");
  const measured = await measureCalls({
    source: source.dir,
    start: () =>
      startScaleDaemon({
        dir: join(dir, "daemon-0"),
        source: source.dir,
        variables: variables("file", "calls"),
        wrapper: tracing(trace),
      }),
    counted: createFileCallCounter(trace, join(dir, "stores", "calls")),
  });
  emptyDirectory(join(dir, "trace"));
  return measured;
}

/** Counts the calls on the object store with a proxy. */
export async function callsOfObjectStore({ dir, source, variables, proxy, say }: Bench) {
  say("calls on the object store");
  return measureCalls({
    source: source.dir,
    async start() {
      const daemon = await startScaleDaemon({
        dir: join(dir, "daemon-0"),
        source: source.dir,
        variables: variables("s3", "calls", "proxy"),
      });
      await daemon.logged("the store keeps to conditions");
      return daemon;
    },
    counted() {
      const { requests, upBytes, downBytes } = proxy.traffic();
      proxy.limit();
      return { calls: requests, upBytes, downBytes };
    },
  });
}

/** The age that new files get, so that a save does not wait for them. */
const settledS = 60;

/** Does each operation once, in an order that gives each what it needs, and counts its calls. */
async function measureCalls(options: {
  source: string;
  /** Starts the daemon, and waits until all work of its start is done. */
  start(): Promise<ScaleDaemon>;
  /** The calls since this was last called. */
  counted(): CallCounts;
}): Promise<Record<Operation, Calls>> {
  const { source, start, counted } = options;
  const measured = {} as Record<Operation, Calls>;
  counted();
  let startedAt = performance.now();
  const daemon = await start();
  const record = async (operation: Operation, cpuS: number) => {
    const wallS = (performance.now() - startedAt) / 1000;
    // The background work of a save ends a moment after its answer.
    await sleep(300);
    measured[operation] = { ...counted(), cpuS: daemon.cpuS() - cpuS, wallS };
  };
  await record("start", 0);

  const grown = join(daemon.dir, "grown");
  const localDir = join(daemon.dir, "loaded");
  const touched = join(daemon.dir, "touched");
  const missed = join(daemon.dir, "missed");
  const other = { ...environment, tritonVersion: "3.7.0" };
  const steps: [Operation, string, () => Promise<{ status: string }>][] = [
    ["emptyMiss", "does_not_exist", () => daemon.client.load({ environment, localDir })],
    ["save", "success", () => daemon.client.save({ environment, localDir: source })],
    ["load", "success", () => daemon.client.load({ environment, localDir })],
    ["saveSkipped", "skipped", () => daemon.client.save({ environment, localDir: source })],
    ["miss", "does_not_exist", () => daemon.client.load({ environment: other, localDir: missed })],
    ["refreshSkipped", "skipped", () => refresh(daemon, source)],
    ["refreshHashed", "skipped", () => refresh(daemon, touched)],
    ["refreshAppended", "success", () => refresh(daemon, grown)],
  ];
  for (const [operation, expected, step] of steps) {
    if (operation === "refreshHashed") execFileSync("cp", ["-r", source, touched]);
    if (operation === "refreshAppended") growCopy(source, grown, 0);
    const cpuS = daemon.cpuS();
    startedAt = performance.now();
    const { status } = await step();
    await record(operation, cpuS);
    if (status !== expected) throw new Error(`${operation} ended in ${status}`);
  }
  await daemon.stop();
  return measured;
}

export function refresh(daemon: ScaleDaemon, localDir: string, namespace = "scale") {
  return daemon.client.save({ environment, localDir, namespace, ifStoredExists: "refresh" });
}

/** Makes a copy of a cache from hard links, and adds 2 % new files; they differ from seed to seed. */
export function growCopy(source: string, copy: string, seed: number): void {
  mkdirSync(copy);
  execFileSync("cp", ["-al", `${source}/.`, copy]);
  const random = createRandom(seed + 1);
  const before = new Date(Date.now() - settledS * 1000);
  for (let i = 0; i < 250; i++) {
    const path = join(copy, `own-${seed}-${i}.bin`);
    writeFileSync(
      path,
      Uint32Array.from({ length: 2_500 }, () => random.uint32()),
    );
    utimesSync(path, before, before);
  }
}
