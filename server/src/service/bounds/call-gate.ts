import {
  type FullResponder,
  type Metadata,
  type Responder,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import type { Caller } from "../../access/caller.ts";
import type { CallerCertificate } from "../../access/caller-certificate.ts";
import type { Turns } from "../../async/turns.ts";
import { CacheError, toCacheError } from "../../domain/cache-error.ts";
import type { Audit } from "../audit.ts";
import { toServiceError } from "../status.ts";
import { type Arrival, createArrivals } from "./arrivals.ts";
import { createShare, type Share } from "./call-share.ts";
import type { Connection, Connections } from "./connections.ts";

/** What one connection's callers may leave unread before their calls are refused. */
const mostUnreadBytes = 8 * 1024 * 1024;
/** gRPC implementations take 8 KiB by default. */
const mostMetadataBytes = 16 * 1024;

/**
 * Who calls, by the `authorization` header of a call and the certificate of its connection. Throws
 * UNAUTHENTICATED.
 */
export type Identify = (
  authorization: string | undefined,
  certificate: CallerCertificate | undefined,
) => Caller;

/** Who calls, and the peer of the connection that the call came by. */
export interface PeerCaller {
  readonly caller: Caller;
  readonly peer: string;
}

/**
 * Lets calls in: judges their credentials before their requests are read, bounds what they cost
 * together, and begins one of them in a round of the event loop, a connection at a time. Calls of the
 * services `open` need no credentials, and do not keep a connection from giving way.
 */
export function createCallGate(options: {
  connections: Connections;
  turns: Turns;
  identify: Identify;
  /** Where handlers find who calls, by the metadata of the call. */
  callers: WeakMap<Metadata, PeerCaller>;
  audit: Audit;
  open: readonly string[];
}): ServerInterceptor {
  const { connections, turns, identify, callers, audit } = options;
  const arrivals = createArrivals();

  const admit = (metadata: Metadata, connection: Connection, isOpen: boolean) => {
    if (!isOpen) {
      const authorization = metadata.get("authorization")[0]?.toString();
      const caller = identify(authorization, connection.certificate);
      callers.set(metadata, { caller, peer: connection.peer });
    }
    if (bytesOf(metadata) > mostMetadataBytes)
      throw new CacheError("OVERLOADED", `a call may have ${mostMetadataBytes} bytes of metadata`);
  };

  return (method, call) => {
    const connection = connections.current();
    const isOpen = options.open.some((service) => method.path.startsWith(`/${service}/`));
    const refuse = (error: unknown) => call.sendStatus(toServiceError(toCacheError(error)));
    const share = createShare(connections, connection);
    let arrival: Arrival | undefined;
    const start: FullResponder["start"] = (next) =>
      next({
        onReceiveMetadata(metadata, admitted) {
          share.begin();
          try {
            admit(metadata, connection, isOpen);
          } catch (error) {
            const name = method.path.slice(method.path.lastIndexOf("/") + 1);
            audit(name, {}, connection.peer).failed(toCacheError(error));
            refuse(error);
            return;
          }
          if (!method.requestStream) arrival = arrivals.begin(refuse);
          admitted(metadata);
        },
        onReceiveHalfClose(received) {
          arrival?.end();
          if (!isOpen && !method.requestStream) share.work();
          turns.take(connection, () => {
            // Whoever has gone meanwhile wants nothing done.
            if (share.isOver) return;
            if (connection.unreadBytes > mostUnreadBytes) refuse(unread(connection));
            else received();
          });
        },
        // Of every call, once nothing more of it is under way.
        onCancel() {
          arrival?.end();
          share.end();
        },
      });
    const encode = (answer: unknown) => {
      // Many that were let in before may have been answered meanwhile.
      if (!method.responseStream && connection.unreadBytes > mostUnreadBytes)
        throw unread(connection);
      return method.responseSerialize(answer);
    };
    return new MeasuredCall(call, { start }, encode, share);
  };
}

/** The same service; it takes answers, too, that are encoded already, as the gate hands them on. */
export function encodingItself<Definition extends ServiceDefinition>(
  definition: Definition,
): Definition {
  const methods = Object.entries(definition).map(([name, method]) => {
    const responseSerialize = (answer: unknown) =>
      Buffer.isBuffer(answer) ? answer : method.responseSerialize(answer);
    return [name, { ...method, responseSerialize }];
  });
  return Object.fromEntries(methods);
}

/** A call whose answers count as its connection's until they have left. */
class MeasuredCall extends ServerInterceptingCall {
  readonly #encode: (answer: unknown) => Buffer;
  readonly #share: Share;

  constructor(
    call: ServerInterceptingCallInterface,
    responder: Responder,
    encode: (answer: unknown) => Buffer,
    share: Share,
  ) {
    super(call, responder);
    this.#encode = encode;
    this.#share = share;
  }

  override sendMessage(answer: unknown, callback: () => void): void {
    let encoded: Buffer;
    try {
      encoded = this.#encode(answer);
    } catch (error) {
      this.sendStatus(toServiceError(error));
      return;
    }
    const hasLeft = this.#share.unread(encoded.length);
    super.sendMessage(encoded, () => {
      hasLeft();
      callback();
    });
  }
}

function unread({ unreadBytes }: Connection): CacheError {
  return new CacheError(
    "OVERLOADED",
    `this connection has ${unreadBytes} bytes of answers that it has not read; read them first`,
  );
}

function bytesOf(metadata: Metadata): number {
  let bytes = 0;
  for (const [name, values] of Object.entries(metadata.toHttp2Headers()))
    for (const value of [values].flat()) bytes += name.length + String(value).length;
  return bytes;
}
