import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import type { PeerCaller } from "./bounds/call-gate.ts";
import type { Answer, Answers } from "./cache-methods.ts";
import { type CallRunner, operationIdKey } from "./call-runner.ts";
import { underCallSignal } from "./call-signal.ts";
import { toServiceError } from "./status.ts";

/** Makes grpc-js handlers of functions that take a request and a signal, and throw CacheErrors. */
export interface Calls {
  unary<Request, Response>(
    method: string,
    answer: Answer<Request, Response>,
  ): handleUnaryCall<Request, Response>;
  /** Asks for the next message when the previous one has been taken, so a slow reader costs no memory. */
  serverStream<Request, Message>(
    method: string,
    messages: Answers<Request, Message>,
  ): handleServerStreamingCall<Request, Message>;
}

/** Makes them; the gate knows who calls, by the call's metadata. */
export function createCalls(options: {
  callers: WeakMap<Metadata, PeerCaller>;
  runner: CallRunner;
}): Calls {
  const { callers, runner } = options;
  const begin = (method: string, call: { metadata: Metadata; request: unknown }) => {
    const from = callers.get(call.metadata);
    if (!from) throw new Error("a call came past the gate");
    return runner.begin(method, call.request, from);
  };
  return {
    unary: (method, answer) => (call, callback) => {
      const begun = begin(method, call);
      const work = underCallSignal(call, async (signal) => {
        return answer(begun.operations, call.request, signal, (operationId) => {
          begun.started(operationId);
          const metadata = new Metadata();
          metadata.set(operationIdKey, operationId);
          call.sendMetadata(metadata);
        });
      });
      begun.ended(work).then(
        (response) => callback(null, response),
        (error: unknown) => callback(toServiceError(error)),
      );
    },
    serverStream: (method, messages) => (call) => {
      const begun = begin(method, call);
      const work = underCallSignal(call, async (signal) => {
        for await (const message of messages(begun.operations, call.request, signal))
          await send(call, message, signal);
      });
      begun.ended(work).then(
        () => call.end(),
        (error: unknown) => call.emit("error", toServiceError(error)),
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
