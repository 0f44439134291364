import type { Socket } from "node:net";
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
import type { CallRunner } from "./call-runner.ts";
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

/** A gRPC server that is handed its connections, each as the current one of all connections. */
export interface GrpcServer {
  accept(connection: Socket): void;
  /** Sets what health checks are told. It starts as not serving. */
  setServing(serving: boolean): void;
  /** Ends what is left of its calls and connections. */
  stop(): void;
}

/** Makes a server of the cache service, health and reflection. */
export function createGrpcServer(options: {
  runner: CallRunner;
  identify: Identify;
  audit: Audit;
  connections: Connections;
  turns: Turns;
}): GrpcServer {
  const { runner, identify, audit, connections, turns } = options;
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
  const calls = createCalls({ callers, runner });
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
    stop: () => server.forceShutdown(),
  };
}
