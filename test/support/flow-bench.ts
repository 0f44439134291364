import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import type { ArchiveFormat } from "../../server/src/domain/cache-id.ts";
import { archiveFilename } from "../../server/src/domain/cache-id.ts";
import {
  cacheKeyOf,
  type Environment,
  environmentKey,
} from "../../server/src/domain/environment.ts";
import type { Limits } from "../../server/src/domain/limits.ts";
import type { Logger } from "../../server/src/domain/logger.ts";
import type { LoadOutcome, SaveOutcome } from "../../server/src/domain/outcome.ts";
import type { Profile } from "../../server/src/domain/profile.ts";
import type { FlowContext } from "../../server/src/flows/context.ts";
import { load } from "../../server/src/flows/load.ts";
import { refresh } from "../../server/src/flows/save/refresh.ts";
import { save } from "../../server/src/flows/save/save.ts";
import { createAllowedDirs } from "../../server/src/local/allowed-dirs.ts";
import { type Signing, Trust } from "../../server/src/signing/trust.ts";
import type { B10Archives, Store } from "../../server/src/store/store.ts";
import type { Flow, Progress } from "../../server/src/transfers/state.ts";
import { createWorkers } from "../../server/src/workers/workers.ts";
import { openFileStore } from "./file-store.ts";
import { wholly } from "./wholly.ts";

export const environment: Environment = {
  torchVersion: "2.1.0",
  cudaVersion: "12.1",
  computeCapability: "8.6",
  tritonVersion: "2.1.0",
  extra: { py: "3.11" },
};
const key = environmentKey(environment);
export const cacheKey = cacheKeyOf(key);
export const namespace = "bench";

/** The flows with a real file store and real threads, without the registry above them. */
export interface FlowBench {
  /** Holds the store and the local directory; a test may put anything else there. */
  readonly dir: string;
  readonly localDir: string;
  readonly store: Store;
  readonly context: FlowContext;
  /** What was logged, by message. */
  readonly warnings: string[];
  archivePath(format?: ArchiveFormat): string;
  save(options?: {
    policy?: "SKIP" | "REFRESH" | "REPLACE";
    format?: ArchiveFormat;
    from?: string;
    signal?: AbortSignal;
    limits?: Partial<Limits>;
    /** Default: `full`. */
    profile?: Profile;
    onProgress?: (progress: Progress) => void | Promise<void>;
  }): Promise<SaveOutcome>;
  load(options?: {
    policy?: "SKIP" | "MERGE" | "REPLACE";
    into?: string;
    signal?: AbortSignal;
    limits?: Partial<Limits>;
    environment?: Environment;
    namespace?: string;
    onProgress?: (progress: Progress) => void | Promise<void>;
  }): Promise<LoadOutcome>;
  /** Names in the store's namespace, hidden ones too, but for notes of use. */
  storeFiles(): string[];
}

/** In memory if possible, because these tests write many small files. */
const scratchParent = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** What tells when to clean up: a test. */
interface Lifetime {
  after(tidy: () => void | Promise<void>): void;
}

/** A directory that goes when the test ends. */
export function scratchDir(t: Lifetime, parent = scratchParent): string {
  const dir = mkdtempSync(join(parent, "compilecache-test-"));
  t.after(() => rmSync(dir, wholly));
  return dir;
}

/** Makes a bench in a fresh directory below `parent`, or in `dir` as it is; with a file store in it, unless another is given. */
export async function createFlowBench(
  t: Lifetime,
  options: {
    parent?: string;
    storeDir?: string;
    dir?: string;
    store?: Store;
    /** How long its threads outlast their work: for many short flows. */
    workerIdleMs?: number;
    /** Default: nothing is signed, and nothing need be. */
    signing?: Signing;
    /** Default: none are looked for. */
    b10Archives?: B10Archives;
  } = {},
): Promise<FlowBench> {
  const dir = options.dir ?? scratchDir(t, options.parent);
  const localDir = join(dir, "local");
  const storeRoot = options.storeDir ?? join(dir, "store");
  mkdirSync(join(storeRoot, namespace), { recursive: true });
  const store = options.store ?? (await openFileStore(storeRoot));
  const workers = createWorkers({ threads: 2, nice: 0, idleMs: options.workerIdleMs ?? 0 });
  t.after(() => workers.close());
  const warnings: string[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (message) => warnings.push(message),
    error: (message) => warnings.push(message),
    child: () => logger,
  };
  const allowed = createAllowedDirs([{ clientPath: dir, daemonPath: dir }]);
  const limits: Limits = {
    maxArchiveBytes: 1 << 30,
    maxContentBytes: 1 << 30,
    maxFileCount: 100_000,
  };
  const context: FlowContext = {
    store,
    archiveFormat: "tar.zst",
    limits,
    refreshMinPercent: 1,
    workers,
    origin: { saver: "bench-1", revision: "sha256:0f0f" },
    trust: new Trust(options.signing ?? {}),
    ...(options.b10Archives ? { b10Archives: options.b10Archives } : {}),
    logger,
  };
  const uncancelled = () => new AbortController().signal;
  return {
    dir,
    localDir,
    store,
    context,
    warnings,
    archivePath: (format = "tar.zst") =>
      join(storeRoot, namespace, archiveFilename(cacheKey, format)),
    async save({ policy = "SKIP", format = "tar.zst", from = localDir, ...options } = {}) {
      const profile = options.profile ?? { include: [], exclude: [] };
      const target = {
        namespace,
        environment,
        environmentKey: key,
        cacheKey,
        localDir: allowed.resolve(from, "local_dir"),
        profile,
        policy,
      };
      const own = {
        ...context,
        archiveFormat: format,
        limits: { ...limits, ...options.limits },
      };
      const flow = (policy === "REFRESH" ? refresh : save)(
        own,
        target,
        options.signal ?? uncancelled(),
      );
      return (await drive(flow, options.onProgress)) as SaveOutcome;
    },
    async load({ policy = "SKIP", into = localDir, ...options } = {}) {
      const asked = options.environment ?? environment;
      const target = {
        namespace: options.namespace ?? namespace,
        environment: asked,
        environmentKey: environmentKey(asked),
        cacheKey,
        localDir: allowed.resolve(into, "local_dir"),
        policy,
      };
      const own = { ...context, limits: { ...limits, ...options.limits } };
      const flow = load(own, target, options.signal ?? uncancelled());
      return (await drive(flow, options.onProgress)) as LoadOutcome;
    },
    storeFiles: () =>
      readdirSync(join(storeRoot, namespace))
        .filter((name) => !name.endsWith(".used"))
        .sort(),
  };
}

/** How many files a save left out, by reason. */
export function leftOutOf({ leftOut }: SaveOutcome): Record<string, number> {
  return Object.fromEntries(leftOut.map(({ reason, fileCount }) => [reason, fileCount]));
}

/**
 * Cancels a flow when it reports `phase`, if the flow gets `signal` and `onProgress`. Other phases that
 * it still reports afterwards are added to `laterPhases`.
 */
export function cancelIn(phase: Progress["phase"]) {
  const caller = new AbortController();
  const laterPhases: Progress["phase"][] = [];
  const onProgress = (progress: Progress): void => {
    if (progress.phase === phase) caller.abort(new Error("cancelled"));
    else if (caller.signal.aborted && progress.phase) laterPhases.push(progress.phase);
  };
  return { signal: caller.signal, onProgress, laterPhases };
}

/** One bench for all tests of a suite: threads take a while to start. */
export function suiteBench(): () => FlowBench {
  let bench: FlowBench;
  const ends: (() => void | Promise<void>)[] = [];
  before(async () => {
    bench = await createFlowBench({ after: (end) => ends.push(end) });
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });
  return () => bench;
}

/** Runs a flow to its end. */
async function drive(
  flow: Flow,
  onProgress: (progress: Progress) => void | Promise<void> = () => {},
): Promise<unknown> {
  for (;;) {
    const { done, value } = await flow.next();
    if (done) return value;
    await onProgress(value);
  }
}
