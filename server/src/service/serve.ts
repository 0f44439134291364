import type { Socket } from "node:net";
import { settlesWithin } from "../async/settles-within.ts";
import type { Logger } from "../domain/logger.ts";
import type { Token } from "../domain/tokens.ts";
import { formatListenAddress, isLocalOnly, type ListenAddress } from "../listen/listen-address.ts";
import { openListeners } from "../listen/listeners.ts";
import type { CacheOperations } from "../operations/cache-operations.ts";
import { createGrpcServer } from "./grpc-server.ts";
import { watchIdleness } from "./idleness.ts";

// What a call needs to send its answer once its transfer has ended.
const lastAnswersMs = 1_000;
// What cancelling may take that begins when the grace period is over.
const cancellingMs = 5_000;

/** Operations that clients can call over the network. */
export interface ServedOperations {
  /** Where clients connect, with the ports that the system chose. */
  readonly addresses: readonly string[];
  /**
   * Takes no new work, gives running transfers `graceMs` to end and cancels the others, lets their
   * watchers and waiters learn of it, then closes. A second call waits for the first.
   */
  stop(graceMs: number): Promise<void>;
  /** Resolves after `idleExitMs` without a connection or a running transfer; never where that is 0. */
  readonly idle: Promise<void>;
}

/** Serves `operations` on `listen`, or on the default socket. Throws a ListenError. */
export async function serve(options: {
  operations: CacheOperations;
  listen: readonly ListenAddress[];
  tokens: readonly Token[] | undefined;
  /** How many connections may be open. */
  maxConnections: number;
  /** 0 for none. */
  idleExitMs: number;
  logger: Logger;
}): Promise<ServedOperations> {
  const { operations, listen, tokens, maxConnections, idleExitMs, logger } = options;
  const server = createGrpcServer({ operations, tokens, maxConnections, logger });
  const idleness = watchIdleness(operations, idleExitMs);
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
    const failed = (error: unknown) => logger.error("not all transfers ended", { error });
    const closing = operations.close(graceMs).catch(failed);
    // A mount may never answer.
    const mostMs = graceMs + cancellingMs;
    if (!(await settlesWithin(closing, mostMs))) failed(new Error(`no end after ${mostMs} ms`));
    await listeners.close();
    await server.stop(lastAnswersMs);
  };
  return {
    addresses: listeners.addresses.map(formatListenAddress),
    stop: (graceMs) => (stopped ??= stop(graceMs)),
    idle: idleness.idle,
  };
}
