import { isDeepStrictEqual } from "node:util";
import type { ConfiguredListener } from "./config/access-file.ts";
import { gcFields, gcPolicyOf, idleBounds } from "./config/gc-policy.ts";
import { listenersOf } from "./config/listeners.ts";
import type { Config } from "./config/settings.ts";
import { b10PlaceOf, originOf, s3OptionsOf, signingOf } from "./config/store-options.ts";
import type { Logger } from "./domain/logger.ts";
import { toolVersion } from "./domain/tool-version.ts";
import { type StateFile, writeStateFile } from "./listen/state-file.ts";
import { createLogger } from "./logging.ts";
import { createCacheOperations } from "./operations/create-cache-operations.ts";
import { type DaemonState, ownState } from "./own-state.ts";
import { serve } from "./service/serve.ts";
import { Trust } from "./signing/trust.ts";
import { openB10Archives, openStore } from "./store/open-store.ts";
import { startBackgroundGc } from "./upkeep/background-gc.ts";

const storeProbeMs = 5_000;

/** A running daemon. */
export interface Daemon {
  /** Where clients connect, as they take it, with the ports that the system chose. */
  readonly addresses: readonly string[];
  /** Goes by other tokens, rules and keys, and reads certificates again. Throws where that is not possible. */
  reload(next: Config): void;
  /** Ends within the configured grace period and some seconds; a second call waits too. */
  stop(): Promise<void>;
  /** Resolves once the daemon was unused for as long as configured; never where that is 0. */
  readonly idle: Promise<void>;
}

/** Puts the layers together and starts them. Throws a ListenError, with nothing left running. */
export async function startDaemon(
  config: Config,
  logger: Logger = createLogger({ level: config.logLevel, format: config.logFormat }),
): Promise<Daemon> {
  const store = await openStore(config.store, logger, { s3: s3OptionsOf(config) });
  logger.info("starting", {
    version: toolVersion,
    node: process.version,
    store: store.url,
    local_dir: config.torchCacheDir,
    // A configuration file says for each listener what callers may name.
    ...(config.configFile ? {} : { allowed_dirs: config.allowedDirs }),
    workers: config.workers,
    ...gcFields(config),
  });
  const withoutCollector = idleBounds(config);
  if (withoutCollector) logger.warn(withoutCollector);
  // A store that is not mounted yet must not keep the daemon from starting.
  store.freeBytes(AbortSignal.timeout(storeProbeMs)).catch((error: unknown) => {
    logger.warn("the store cannot be used now", { store: store.url, error });
  });
  const trust = new Trust(signingOf(config));
  logSigning(config, logger);
  const b10Place = b10PlaceOf(config);
  const operations = createCacheOperations({
    store,
    localDir: config.torchCacheDir,
    archiveFormat: config.archiveFormat,
    profiles: config.profiles,
    refreshMinPercent: config.refreshMinPercent,
    limits: {
      maxArchiveBytes: config.maxArchiveBytes,
      maxContentBytes: config.maxContentBytes,
      maxFileCount: config.maxFileCount,
    },
    workers: config.workers,
    workerIdleMs: config.workerIdleMs,
    saveNice: config.saveNice,
    origin: originOf(config),
    trust,
    b10Archives: b10Place && openB10Archives(b10Place, logger),
    logger,
  });
  const stopGc = startBackgroundGc(store, gcPolicyOf(config), config.gcEvery, logger);
  const { maxConnections, idleExitMs, shutdownGraceMs } = config;
  const listeners = listenersOf(config);
  try {
    const told: StateFile[] = [];
    let telling: Promise<unknown> | undefined;
    const beforeClosing = async () => {
      await telling;
      await Promise.allSettled(told.map((file) => file.remove()));
    };
    const served = { operations, listeners, maxConnections, idleExitMs, beforeClosing, logger };
    const { addresses, reload, stop, idle } = await serve(served);
    const state = ownState(config.store, addresses);
    told.push(...(await tellOfItself(state, logger)));
    // Not before: the caller that started this daemon waits for it to listen.
    operations.warmUp();
    return {
      addresses,
      reload(next) {
        const others = listenersOf(next);
        const placeOf = ({ listener }: ConfiguredListener) => listener;
        if (!isDeepStrictEqual(others.map(placeOf), listeners.map(placeOf)))
          throw new Error("other listeners than now need a restart of the daemon");
        reload(others.map(({ policy }) => policy));
        trust.use(signingOf(next));
        logSigning(next, logger);
      },
      stop() {
        stopGc();
        const stopping = { ...state, stopping_since: new Date().toISOString() };
        telling ??= Promise.allSettled(told.map((file) => file.update(stopping)));
        return stop(shutdownGraceMs);
      },
      idle,
    };
  } catch (error) {
    stopGc();
    await operations.close(0);
    throw error;
  }
}

/** Writes beside each socket which daemon it is. No daemon fails by it. */
async function tellOfItself(state: DaemonState, logger: Logger): Promise<StateFile[]> {
  const sockets = state.addresses.filter((address) => address.startsWith("unix:"));
  const written = await Promise.allSettled(
    sockets.map((address) => writeStateFile(address.slice("unix:".length), state)),
  );
  return written.flatMap((result, index) => {
    if (result.status === "fulfilled") return [result.value];
    const reason = (result.reason as Error).message;
    logger.warn("no file beside the socket says which daemon it is", {
      address: sockets[index],
      reason,
    });
    return [];
  });
}

/** For who rotates keys: which ones count from now on. */
function logSigning({ signingKey, trustedKeys }: Config, logger: Logger): void {
  if (!signingKey && !trustedKeys) return;
  logger.info("keys of caches", {
    signs_with: signingKey?.id ?? "none, so nothing is signed",
    trusts: trustedKeys?.map(({ id }) => id) ?? "whatever is stored",
  });
}
