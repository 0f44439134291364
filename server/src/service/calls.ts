import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import { toCacheError } from "../domain/cache-error.ts";
import type { Logger } from "../domain/logger.ts";
import type { CacheOperations, SharedOperations } from "../operations/cache-operations.ts";
import type { Audit, AuditedCall } from "./audit.ts";
import type { PeerCaller } from "./bounds/call-gate.ts";
import { underCallSignal } from "./call-signal.ts";
import { toServiceError } from "./status.ts";

/** The initial metadata that names the transfer of a Load or Save. */
const operationIdKey = "compilecache-operation-id";

/** Makes grpc-js handlers of functions that take a request and a signal, and throw CacheErrors. */
export interface Calls {
  /**
   * `answer` may call `announce` once, before it waits for a transfer: the caller is told the
   * operation id at once, and can watch or cancel the transfer while it waits.
   */
  unary<Request, Response>(
    method: string,
    answer: (
      operations: CacheOperations,
      request: Request,
      signal: AbortSignal,
      announce: (operationId: string) => void,
    ) => Response | Promise<Response>,
  ): handleUnaryCall<Request, Response>;
  /** Asks for the next message when the previous one has been taken, so a slow reader costs no memory. */
  serverStream<Request, Message>(
    method: string,
    messages: (
      operations: CacheOperations,
      request: Request,
      signal: AbortSignal,
    ) => AsyncIterable<Message>,
  ): handleServerStreamingCall<Request, Message>;
  /** Resolves when no call is running. */
  drained(): Promise<void>;
}

/**
 * Every call is made with the operations of its caller, whom the gate knows by the call's metadata, and
 * every error is mapped to a status in one place.
 */
export function createCalls(options: {
  callers: WeakMap<Metadata, PeerCaller>;
  operations: SharedOperations;
  audit: Audit;
  logger: Logger;
}): Calls {
  const { callers, operations, audit, logger } = options;
  const begin = (method: string, call: { metadata: Metadata; request: unknown }) => {
    const found = callers.get(call.metadata);
    if (!found) throw new Error("a call came past the gate");
    const { caller, peer } = found;
    const audited = audit(method, call.request, peer);
    audited.by(caller.name);
    return { audited, own: operations.as(caller) };
  };
  const failure = (method: string, audited: AuditedCall, thrown: unknown) => {
    const error = toCacheError(thrown);
    if (error.reason === "INTERNAL")
      logger.error("a call failed on a bug", { method, error: error.cause ?? error });
    else audited.failed(error);
    return toServiceError(error);
  };
  let underWay = 0;
  let drained = Promise.withResolvers<void>();
  drained.resolve();
  const counted = async <Result>(work: Promise<Result>): Promise<Result> => {
    if (underWay === 0) drained = Promise.withResolvers();
    underWay += 1;
    try {
      return await work;
    } finally {
      underWay -= 1;
      if (underWay === 0) drained.resolve();
    }
  };
  return {
    drained: () => drained.promise,
    unary: (method, answer) => (call, callback) => {
      const { audited, own } = begin(method, call);
      const work = underCallSignal(call, async (signal) => {
        return answer(own, call.request, signal, (operationId) => {
          audited.started(operationId);
          const metadata = new Metadata();
          metadata.set(operationIdKey, operationId);
          call.sendMetadata(metadata);
        });
      });
      counted(work).then(
        (response) => {
          audited.done();
          callback(null, response);
        },
        (error: unknown) => callback(failure(method, audited, error)),
      );
    },
    serverStream: (method, messages) => (call) => {
      const { audited, own } = begin(method, call);
      const work = underCallSignal(call, async (signal) => {
        for await (const message of messages(own, call.request, signal))
          await send(call, message, signal);
      });
      counted(work).then(
        () => {
          audited.done();
          call.end();
        },
        (error: unknown) => call.emit("error", failure(method, audited, error)),
      );
    },
  };
}

/** Writes a message; resolves when it has left for the network, or when the call has ended. */
function send<Message>(
  call: ServerWritableStream<unknown, Message>,
  message: Message,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener("abort", done);
      resolve();
    };
    signal.addEventListener("abort", done, { once: true });
    call.write(message, done);
  });
}
