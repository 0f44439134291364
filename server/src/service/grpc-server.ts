import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import {
  logVerbosity,
  type Metadata,
  Server,
  ServerCredentials,
  setLogVerbosity,
} from "@grpc/grpc-js";
import { callerCertificate } from "../access/caller-certificate.ts";
import type { Turns } from "../async/turns.ts";
import type { Logger } from "../domain/logger.ts";
import type { SharedOperations } from "../operations/cache-operations.ts";
import type { Audit } from "./audit.ts";
import {
  createCallGate,
  encodingItself,
  type Identify,
  type PeerCaller,
} from "./bounds/call-gate.ts";
import type { Connections } from "./bounds/connections.ts";
import { PacedConnection } from "./bounds/paced-connection.ts";
import { cacheServiceDefinition, createCacheService } from "./cache-service.ts";
import { createCalls } from "./calls.ts";
import { addHealth } from "./health.ts";
import { addReflection } from "./reflection.ts";

const cacheServiceName = "compilecache.v1.CacheService";
const healthServiceName = "grpc.health.v1.Health";

const serverOptions = {
  // A request is some paths and an environment.
  "grpc.max_receive_message_length": 32 * 1024,
  // A process that watches a thousand transfers does so by one connection.
  "grpc.max_concurrent_streams": 1024,
  // MB of headers and of what is to be sent. grpc-js sets no bound of its own.
  "grpc-node.max_session_memory": 32,
  // Nobody asks for these statistics, and they cost each call something.
  "grpc.enable_channelz": 0,
  // Without it, a caller whose machine died would keep its transfer running.
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 20_000,
};

/** How long the last bytes of the last answers take to leave. */
const leavingMs = 50;

/** A gRPC server that is handed its connections, each as the current one of all connections. */
export interface GrpcServer {
  accept(connection: Socket): void;
  /** Sets what health checks are told. It starts as not serving. */
  setServing(serving: boolean): void;
  /** Waits for running calls for at most `graceMs`, then ends them. */
  stop(graceMs: number): Promise<void>;
}

/** Makes a server of the cache service, health and reflection. */
export function createGrpcServer(options: {
  operations: SharedOperations;
  identify: Identify;
  audit: Audit;
  connections: Connections;
  turns: Turns;
  logger: Logger;
}): GrpcServer {
  const { operations, identify, audit, connections, turns, logger } = options;
  const callers = new WeakMap<Metadata, PeerCaller>();
  const gate = createCallGate({
    connections,
    turns,
    identify,
    callers,
    audit,
    open: [healthServiceName],
  });
  // It would write to stderr what callers send, a malformed token among it.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server({ ...serverOptions, interceptors: [gate] });
  const calls = createCalls({ callers, operations, audit, logger });
  server.addService(encodingItself(cacheServiceDefinition), createCacheService(calls));

  const health = addHealth(server, ["", cacheServiceName]);
  addReflection(server, [cacheServiceName, healthServiceName]);

  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    accept(socket) {
      const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
      if (certificate) connections.current().certificate = callerCertificate(certificate);
      injector.injectConnection(new PacedConnection(socket, turns));
    },
    setServing: health.setServing,
    async stop(graceMs) {
      // grpc-js does not wait for the calls of connections that it was handed.
      const stopWaiting = new AbortController();
      await Promise.race([
        calls.drained(),
        sleep(graceMs, undefined, { signal: stopWaiting.signal }).catch(() => {}),
      ]);
      stopWaiting.abort();
      await sleep(leavingMs);
      server.forceShutdown();
    },
  };
}
