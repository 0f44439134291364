import type { Socket } from "node:net";
import type { Logger } from "../domain/logger.ts";
import type { Token } from "../domain/tokens.ts";
import { formatListenAddress, isLocalOnly, type ListenAddress } from "../listen/listen-address.ts";
import { openListeners } from "../listen/listeners.ts";
import type { CacheCore } from "../operations/cache-operations.ts";
import { createCacheServer } from "./grpc-server.ts";
import { watchIdleness } from "./idleness.ts";

// What a call needs to send its answer once its transfer has ended.
const lastAnswersMs = 1_000;
// How long after its grace period the core may take to cancel what still runs.
const cancellingMs = 5_000;

/** A core that clients can call. */
export interface ServedCore {
  /** Where clients connect, with the ports that the system chose. */
  readonly addresses: readonly string[];
  /**
   * Takes no new work, gives running transfers `graceMs` to end and cancels the others, lets their
   * watchers and waiters learn of it, then closes. A second call waits for the first.
   */
  stop(graceMs: number): Promise<void>;
  /** Resolves once nobody was connected and nothing ran for `idleExitMs`; never without that. */
  readonly idle: Promise<void>;
}

/** Serves `core` on `listen`, or on the default socket. Throws a ListenError. */
export async function serveCore(options: {
  core: CacheCore;
  listen: readonly ListenAddress[];
  tokens: readonly Token[] | undefined;
  /** 0 for none. */
  idleExitMs: number;
  logger: Logger;
}): Promise<ServedCore> {
  const { core, listen, tokens, idleExitMs, logger } = options;
  const server = createCacheServer({ core, tokens, logger });
  const idleness = watchIdleness(core, idleExitMs);
  const accept = (connection: Socket) => {
    idleness.addConnection(connection);
    server.accept(connection);
  };
  const listeners = await openListeners(listen, accept, logger);
  server.setServing(true);
  for (const address of listeners.addresses)
    if (!tokens && !isLocalOnly(address))
      logger.warn("anybody on the network may call: no tokens file is configured", {
        address: formatListenAddress(address),
      });

  let stopped: Promise<void> | undefined;
  const stop = async (graceMs: number) => {
    idleness.end();
    server.setServing(false);
    await within(graceMs + cancellingMs, core.close(graceMs)).catch((error: unknown) => {
      logger.error("not all transfers ended", { error });
    });
    await listeners.close();
    await server.stop(lastAnswersMs);
  };
  return {
    addresses: listeners.addresses.map(formatListenAddress),
    stop: (graceMs) => (stopped ??= stop(graceMs)),
    idle: idleness.idle,
  };
}

/** The promise, or an error when it takes longer than `ms`: a mount may hang for ever. */
function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new Error(`no end after ${ms} ms`)), ms);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
