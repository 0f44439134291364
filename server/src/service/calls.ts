import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import { toCacheError } from "../domain/cache-error.ts";
import type { Logger } from "../domain/logger.ts";
import type { Right } from "../domain/tokens.ts";
import { underCallSignal } from "./call-signal.ts";
import type { Authorize } from "./credentials.ts";
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
    needed: Right,
    answer: (
      request: Request,
      signal: AbortSignal,
      announce: (operationId: string) => void,
    ) => Response | Promise<Response>,
  ): handleUnaryCall<Request, Response>;
  /** Asks for the next message when the previous one has been taken, so a slow reader costs no memory. */
  serverStream<Request, Message>(
    method: string,
    needed: Right,
    messages: (request: Request, signal: AbortSignal) => AsyncIterable<Message>,
  ): handleServerStreamingCall<Request, Message>;
  /** Resolves when no call is running. */
  drained(): Promise<void>;
}

/** Every call is authorised first, and every error is mapped to a status in one place. */
export function createCalls(authorize: Authorize, logger: Logger): Calls {
  const admit = (metadata: Metadata, needed: Right) => {
    authorize(metadata.get("authorization")[0]?.toString(), needed);
  };
  const failure = (method: string, thrown: unknown) => {
    const error = toCacheError(thrown);
    if (error.reason === "INTERNAL")
      logger.error("a call failed on a bug", { method, error: error.cause ?? error });
    else
      logger.debug("a call failed", { method, reason: error.reason, explanation: error.message });
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
    unary: (method, needed, answer) => (call, callback) => {
      const work = underCallSignal(call, async (signal) => {
        admit(call.metadata, needed);
        return answer(call.request, signal, (operationId) => {
          const metadata = new Metadata();
          metadata.set(operationIdKey, operationId);
          call.sendMetadata(metadata);
        });
      });
      counted(work).then(
        (response) => callback(null, response),
        (error: unknown) => callback(failure(method, error)),
      );
    },
    serverStream: (method, needed, messages) => (call) => {
      const work = underCallSignal(call, async (signal) => {
        admit(call.metadata, needed);
        for await (const message of messages(call.request, signal))
          await send(call, message, signal);
      });
      counted(work).then(
        () => call.end(),
        (error: unknown) => call.emit("error", failure(method, error)),
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
