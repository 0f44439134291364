import { X509Certificate } from "node:crypto";
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServerUnaryCall,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import type { Caller } from "../access/caller.ts";
import type { CallerCertificate } from "../access/identify.ts";
import { toCacheError } from "../domain/cache-error.ts";
import type { Logger } from "../domain/logger.ts";
import type { CacheOperations, SharedOperations } from "../operations/cache-operations.ts";
import { type AuditedCall, createAudit } from "./audit.ts";
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
 * Who calls, by the `authorization` header and the certificate of a call. Throws
 * UNAUTHENTICATED.
 */
export type Identify = (
  authorization: string | undefined,
  certificate: CallerCertificate | undefined,
) => Caller;

/**
 * Every call is made with the operations of its caller, whom `identify` knows or refuses, and every error
 * is mapped to a status in one place.
 */
export function createCalls(
  identify: Identify,
  operations: SharedOperations,
  logger: Logger,
): Calls {
  const audit = createAudit(logger);
  const operationsFor = (call: Call, audited: AuditedCall) => {
    const authorization = call.metadata.get("authorization")[0]?.toString();
    const caller = identify(authorization, certificateOf(call));
    audited.by(caller.name);
    return operations.as(caller);
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
      const audited = audit(method, call.request, call.getPeer());
      const work = underCallSignal(call, async (signal) => {
        return answer(operationsFor(call, audited), call.request, signal, (operationId) => {
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
      const audited = audit(method, call.request, call.getPeer());
      const work = underCallSignal(call, async (signal) => {
        for await (const message of messages(operationsFor(call, audited), call.request, signal))
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

type Call = Pick<ServerUnaryCall<unknown, unknown>, "metadata" | "getAuthContext">;

function certificateOf(call: Call): CallerCertificate | undefined {
  const { sslPeerCertificate: peer } = call.getAuthContext();
  if (!peer?.raw) return undefined;
  const certificate = new X509Certificate(peer.raw);
  const uris = (certificate.subjectAltName ?? "").split(", ");
  return {
    isOf: (name) =>
      certificate.checkHost(name, { wildcards: false }) !== undefined ||
      (name.includes("://") && uris.includes(`URI:${name}`)),
    shown: JSON.stringify(certificate.subjectAltName ?? certificate.subject),
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
