import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import type { Logger } from "../domain/logger.ts";
import type { SharedOperations } from "../operations/cache-operations.ts";
import { cacheServiceDefinition, createCacheService } from "./cache-service.ts";
import { createCalls, type Identify } from "./calls.ts";
import { addReflection } from "./reflection.ts";

const cacheServiceName = "compilecache.v1.CacheService";

const serverOptions = {
  // A request is some paths and an environment.
  "grpc.max_receive_message_length": 1024 * 1024,
  // Without it, a caller whose machine died would keep its transfer running.
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 20_000,
};

/** How long the last bytes of the last answers take to leave. */
const leavingMs = 50;

/** A gRPC server that is handed its connections. */
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
  logger: Logger;
}): GrpcServer {
  const { operations, identify, logger } = options;
  const server = new Server(serverOptions);
  const calls = createCalls(identify, operations, logger);
  server.addService(cacheServiceDefinition, createCacheService(calls));

  const health = new HealthImplementation();
  health.addToServer(server);
  const setServing = (serving: boolean) => {
    for (const name of ["", cacheServiceName])
      health.setStatus(name, serving ? "SERVING" : "NOT_SERVING");
  };
  setServing(false);

  addReflection(server, [cacheServiceName, "grpc.health.v1.Health"]);

  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    accept: (connection) => injector.injectConnection(connection),
    setServing,
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
