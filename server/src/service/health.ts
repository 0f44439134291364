import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Server,
  status,
} from "@grpc/grpc-js";
import {
  type HealthCheckResponse as Answer,
  type HealthCheckRequest as Asked,
  type HealthListResponse,
  HealthService,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "compilecache-client/gen/grpc/health/v1/health.ts";
import { encodingItself } from "./bounds/call-gate.ts";

/** The standard health service. */
export interface Health {
  /** Sets what checks and watchers of all names are told. */
  setServing(serving: boolean): void;
}

/**
 * Adds the health of the services `names`, which begin as not serving. (The implementation that
 * the package grpc-health-check has keeps each name for ever that anybody watches, and reads its definition
 * when a daemon starts, which takes a fifth of that.)
 */
export function addHealth(server: Server, names: readonly string[]): Health {
  let answer: Answer = { status: ServingStatus.NOT_SERVING };
  const watchers = new Set<(answer: Answer) => void>();

  const check: handleUnaryCall<Asked, Answer> = ({ request }, callback) => {
    if (names.includes(request.service)) callback(null, answer);
    else callback({ code: status.NOT_FOUND, details: "there is no service of this name" });
  };
  const list: handleUnaryCall<unknown, HealthListResponse> = (_call, callback) =>
    callback(null, { statuses: Object.fromEntries(names.map((name) => [name, answer])) });
  const watch: handleServerStreamingCall<Asked, Answer> = (call) => {
    if (!names.includes(call.request.service)) {
      call.write({ status: ServingStatus.SERVICE_UNKNOWN });
      return;
    }
    const tell = (now: Answer) => call.write(now);
    watchers.add(tell);
    call.once("cancelled", () => watchers.delete(tell));
    tell(answer);
  };
  const implementation = { check, watch, list };
  server.addService(encodingItself(HealthService), implementation);
  return {
    setServing(serving) {
      const { SERVING, NOT_SERVING } = ServingStatus;
      answer = { status: serving ? SERVING : NOT_SERVING };
      for (const tell of watchers) tell(answer);
    },
  };
}
