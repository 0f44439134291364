import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import {
  type ChannelCredentials,
  Client,
  credentials,
  type CallOptions as GrpcCallOptions,
  Metadata,
  type MethodDefinition,
} from "@grpc/grpc-js";
import {
  type CacheServiceError,
  endedBySignal,
  invalidRequest,
  toCacheServiceError,
} from "./cache-service-error.ts";
import type {
  CallOptions,
  ResolvedClientOptions,
  TransferCallOptions,
} from "./settings/client-options.ts";
import { requireTimeout } from "./settings/timeout.ts";
import type { TlsSettings } from "./settings/tls.ts";

type Method<Request, Response> = Pick<
  MethodDefinition<Request, Response>,
  "path" | "requestSerialize" | "responseDeserialize"
>;

/** The initial metadata by which the daemon names the transfer that a call waits for. */
const operationIdKey = "compilecache-operation-id";

/** One channel to a daemon. Calls end in their result or in a CacheServiceError. */
export interface Connection {
  /** `defaultTimeoutMs` is the deadline where neither the call nor the client sets one. */
  unary<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: TransferCallOptions,
    defaultTimeoutMs: number,
  ): Promise<Response>;
  /** The call starts with the first read. Leaving the loop, or the signal, ends it. */
  serverStream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    options: CallOptions,
  ): AsyncGenerator<Response, void, void>;
  close(): void;
}

/** Opens a channel, which connects when it is first used. */
export function createConnection(options: ResolvedClientOptions): Connection {
  const { address, advice, tls } = options;
  const ip = tls && !tls.name ? ipOf(address) : undefined;
  // Of an address no name is sent, which TLS forbids; this one stands for none, and is not checked.
  const name = ip === undefined ? tls?.name : "address.invalid";
  const client = new Client(address, credentialsOf(tls, ip), {
    ...(name ? { "grpc.ssl_target_name_override": name } : {}),
    // The daemon is on this node or near it, and not behind the proxy for the internet.
    "grpc.enable_http_proxy": 0,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
  });
  const metadata = new Metadata();
  if (options.token) metadata.set("authorization", `Bearer ${options.token}`);

  function callOptions(call: CallOptions, defaultTimeoutMs: number): GrpcCallOptions {
    const timeoutMs = requireTimeout(call.timeoutMs) ?? options.timeoutMs ?? defaultTimeoutMs;
    return Number.isFinite(timeoutMs) ? { deadline: Date.now() + timeoutMs } : {};
  }

  function toError(error: unknown, signal: AbortSignal | undefined): CacheServiceError {
    const ours = toCacheServiceError(error, address, advice);
    if (ours.code === "CANCELLED" && signal?.aborted) return endedBySignal(signal);
    return ours;
  }

  async function unary<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    call: TransferCallOptions,
    defaultTimeoutMs: number,
  ): Promise<Response> {
    const { signal, onStarted } = call;
    if (signal?.aborted) throw endedBySignal(signal);
    let stop = () => {};
    let thrown: { readonly error: unknown } | undefined;
    try {
      return await new Promise<Response>((resolve, reject) => {
        const running = client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          request,
          metadata,
          callOptions(call, defaultTimeoutMs),
          (error, response) => (response === undefined ? reject(error) : resolve(response)),
        );
        if (onStarted)
          running.once("metadata", (initial: Metadata) => {
            const [operationId] = initial.get(operationIdKey);
            try {
              if (operationId) onStarted(operationId.toString());
            } catch (error) {
              thrown = { error };
              running.cancel();
            }
          });
        stop = () => running.cancel();
        signal?.addEventListener("abort", stop, { once: true });
      });
    } catch (error) {
      throw thrown ? thrown.error : toError(error, signal);
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  async function* serverStream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    call: CallOptions,
  ): AsyncGenerator<Response, void, void> {
    const { signal } = call;
    if (signal?.aborted) throw endedBySignal(signal);
    const running = client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
      callOptions(call, Number.POSITIVE_INFINITY),
    );
    const stop = () => running.cancel();
    signal?.addEventListener("abort", stop, { once: true });
    try {
      for await (const response of running) yield response;
    } catch (error) {
      throw toError(error, signal);
    } finally {
      signal?.removeEventListener("abort", stop);
      running.cancel();
    }
  }

  return { unary, serverStream, close: () => client.close() };
}

/** The IP address that an address names, if it does. */
function ipOf(address: string): string | undefined {
  const host = address
    .replace(/^(ipv4|ipv6|dns):(\/\/\/)?/, "")
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1");
  return isIP(host) ? host : undefined;
}

/** Node's own error tells of the certificate's names only the addresses, of which it may have none. */
function whyNotOf(ip: string, certificate: PeerCertificate): Error | undefined {
  const error = checkServerIdentity(ip, certificate);
  if (!error) return undefined;
  const { subjectaltname: names = "of which it says none" } = certificate;
  const message = `Hostname/IP does not match certificate's altnames: IP: ${ip} is none of ${names}`;
  return Object.assign(error, { message });
}

/** `ip` is what the daemon's certificate must have, in place of a name. */
function credentialsOf(tls: TlsSettings | undefined, ip: string | undefined): ChannelCredentials {
  if (!tls) return credentials.createInsecure();
  const { ca, own } = tls;
  try {
    return credentials.createSsl(
      ca ?? null,
      own?.key ?? null,
      own?.certificate ?? null,
      ip === undefined
        ? {}
        : { checkServerIdentity: (_, certificate) => whyNotOf(ip, certificate) },
    );
  } catch (error) {
    throw invalidRequest("tls", `the certificates cannot be used: ${(error as Error).message}`);
  }
}
