import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Server,
  type ServiceDefinition,
  status,
} from "@grpc/grpc-js";
import { service } from "grpc-health-check";
import { encodingItself } from "./bounds/call-gate.ts";

type Answer = { readonly status: "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN" };
type Asked = { readonly service: string };

/** The standard health service. */
export interface Health {
  /** Sets what checks and watchers of all names are told. */
  setServing(serving: boolean): void;
}

/**
 * Adds the health of the services `names`, which begin as not serving. (The implementation that
 * grpc-health-check has keeps each name for ever that anybody watches.)
 */
export function addHealth(server: Server, names: readonly string[]): Health {
  let answer: Answer = { status: "NOT_SERVING" };
  const watchers = new Set<(answer: Answer) => void>();

  const check: handleUnaryCall<Asked, Answer> = ({ request }, callback) => {
    if (names.includes(request.service)) callback(null, answer);
    else callback({ code: status.NOT_FOUND, details: "there is no service of this name" });
  };
  const list: handleUnaryCall<unknown, { statuses: Record<string, Answer> }> = (_call, callback) =>
    callback(null, { statuses: Object.fromEntries(names.map((name) => [name, answer])) });
  const watch: handleServerStreamingCall<Asked, Answer> = (call) => {
    if (!names.includes(call.request.service)) {
      call.write({ status: "SERVICE_UNKNOWN" });
      return;
    }
    const tell = (now: Answer) => call.write(now);
    watchers.add(tell);
    call.once("cancelled", () => watchers.delete(tell));
    tell(answer);
  };
  const implementation = { check, watch, list };
  server.addService(encodingItself(service as unknown as ServiceDefinition), implementation);
  return {
    setServing(serving) {
      answer = { status: serving ? "SERVING" : "NOT_SERVING" };
      for (const tell of watchers) tell(answer);
    },
  };
}
