import { setTimeout as sleep } from "node:timers/promises";
import type { CallerCertificate } from "../access/caller-certificate.ts";
import { identify } from "../access/identify.ts";
import type { Policy } from "../access/policy.ts";
import { settlesWithin } from "../async/settles-within.ts";
import { createTurns } from "../async/turns.ts";
import { CacheError } from "../domain/cache-error.ts";
import type { Logger } from "../domain/logger.ts";
import { formatListenAddress, isLocalOnly } from "../listen/listen-address.ts";
import type { Listener, OnConnection } from "../listen/listener.ts";
import { type OpenListener, openListener } from "../listen/listeners.ts";
import type { SharedOperations } from "../operations/cache-operations.ts";
import { createAudit } from "./audit.ts";
import { createConnections } from "./bounds/connections.ts";
import { createCallRunner } from "./call-runner.ts";
import { type ConnectServer, createConnectServer } from "./connect/connect-server.ts";
import { tellProtocol } from "./connect/tell-protocol.ts";
import { createGrpcServer, type GrpcServer } from "./grpc-server.ts";
import { watchIdleness } from "./idleness.ts";

// What a call needs to send its answer once its transfer has ended.
const lastAnswersMs = 1_000;
// What the last bytes of the last answers take to leave.
const leavingMs = 50;
// What cancelling may take that begins when the grace period is over.
const cancellingMs = 5_000;

/** A listener, and who may do what there. */
export interface ServedListener {
  readonly listener: Listener;
  readonly policy: Policy;
}

/** Operations that clients can call over the network. */
export interface ServedOperations {
  /** Where clients connect, with the ports that the system chose. */
  readonly addresses: readonly string[];
  /**
   * Has these policies instead, one for each listener, for calls from now on, and reads certificates
   * again. Throws where one is no good, and all stays as it was.
   */
  reload(policies: readonly Policy[]): void;
  /**
   * Takes no new work, gives running transfers `graceMs` to end and cancels the others, lets their
   * watchers and waiters learn of it, then closes. A second call waits for the first.
   */
  stop(graceMs: number): Promise<void>;
  /** Resolves after `idleExitMs` without a connection or a running transfer; never where that is 0. */
  readonly idle: Promise<void>;
}

/** Serves `operations` at all listeners. Throws a ListenError, with nothing left open. */
export async function serve(options: {
  operations: SharedOperations;
  listeners: readonly ServedListener[];
  /** How many connections may be open. */
  maxConnections: number;
  /** 0 for none. */
  idleExitMs: number;
  /** Waited for before the listeners close, when a successor can take their places. */
  beforeClosing?: () => Promise<void>;
  logger: Logger;
}): Promise<ServedOperations> {
  const { operations, maxConnections, idleExitMs, beforeClosing, logger } = options;
  const connections = createConnections(maxConnections, logger);
  const turns = createTurns();
  const audit = createAudit(logger);
  const runner = createCallRunner({ operations, audit, logger });
  const idleness = watchIdleness(operations, idleExitMs);
  const policies = options.listeners.map(({ policy }) => policy);
  const servers: GrpcServer[] = [];
  const connectServers: ConnectServer[] = [];
  const listeners: OpenListener[] = [];
  const closeListeners = () => Promise.all(listeners.map((listener) => listener.close()));
  try {
    for (const [index, { listener }] of options.listeners.entries()) {
      const who = (authorization: string | undefined, certificate: CallerCertificate | undefined) =>
        identify(policies[index] as Policy, authorization, certificate);
      const shared = { runner, identify: who, audit, connections, turns };
      const server = createGrpcServer(shared);
      servers.push(server);
      const connect = createConnectServer(shared);
      connectServers.push(connect);
      const onConnection: OnConnection = {
        begin: connections.add,
        ready(connection) {
          idleness.addConnection(connection);
          const http2 = () => server.accept(connection);
          // What comes from other machines is gRPC alone.
          if (listener.address?.kind === "tcp") http2();
          else tellProtocol(connection, { http2, http1: () => connect.accept(connection) });
        },
        refused: (peer, why) =>
          audit("Connect", {}, peer).failed(
            new CacheError("UNAUTHENTICATED", `the certificate is refused: ${why}`),
          ),
      };
      listeners.push(await openListener(listener, onConnection, logger));
    }
  } catch (error) {
    idleness.end();
    await closeListeners();
    throw error;
  }
  for (const server of servers) server.setServing(true);
  for (const [index, { address }] of listeners.entries())
    if (policies[index]?.anyone && !isLocalOnly(address) && !isMutual(options.listeners[index]))
      logger.warn("anybody on the network may call: nothing is asked of callers", {
        address: formatListenAddress(address),
      });

  let stopped: Promise<void> | undefined;
  const stop = async (graceMs: number) => {
    idleness.end();
    for (const server of servers) server.setServing(false);
    const failed = (error: unknown) => logger.error("not all transfers ended", { error });
    const closing = operations.close(graceMs).catch(failed);
    // A mount may never answer.
    const mostMs = graceMs + cancellingMs;
    if (!(await settlesWithin(closing, mostMs))) failed(new Error(`no end after ${mostMs} ms`));
    await beforeClosing?.();
    await closeListeners();
    await settlesWithin(runner.drained(), lastAnswersMs);
    await sleep(leavingMs);
    for (const server of [...servers, ...connectServers]) server.stop();
    // gRPC leaves those that it was handed to whoever handed them.
    connections.closeAll();
  };
  return {
    addresses: listeners.map(({ address }) => formatListenAddress(address)),
    reload(others) {
      const uses = listeners.map((listener) => listener.reread());
      policies.splice(0, policies.length, ...others);
      for (const use of uses) use();
    },
    stop: (graceMs) => (stopped ??= stop(graceMs)),
    idle: idleness.idle,
  };
}

/** Whether callers have to prove who they are before they are connected. */
function isMutual(served: ServedListener | undefined): boolean {
  return served?.listener.tls?.clientCa !== undefined;
}
