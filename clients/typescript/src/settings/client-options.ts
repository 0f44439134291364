import { parseAddress } from "./address.ts";
import { type FoundDaemon, findDaemon } from "./find-daemon.ts";
import { startAdvice, startThereAdvice } from "./start-advice.ts";
import { requireTimeout } from "./timeout.ts";
import {
  isSocket,
  requireSafeForToken,
  resolveTls,
  type TlsOptions,
  type TlsSettings,
} from "./tls.ts";
import { parseToken } from "./token.ts";

const command = "compilecache";

/** How to reach a daemon, and defaults for the calls. */
export interface CacheClientOptions {
  /**
   * `unix:/path` or `host:port`. Blanks and quotes around it are left out. Default:
   * COMPILE_CACHE_ADDRESS, else the daemon's default socket.
   */
  readonly address?: string | undefined;
  /** Namespace of the caches. Default: COMPILE_CACHE_NAMESPACE, else the daemon's, `default`. */
  readonly namespace?: string | undefined;
  /**
   * Sent as `authorization: Bearer <token>`, to another machine only with encryption. Default:
   * COMPILE_CACHE_TOKEN, else none.
   */
  readonly token?: string | undefined;
  /** Default: for an address of TCP, what COMPILE_CACHE_TLS_CA, _CERT, _KEY and
   * _NAME say, else no encryption. */
  readonly tls?: TlsOptions | undefined;
  /**
   * Deadline of each call, in milliseconds; one above 2,147,483,000 (24.8 days) is none. Default: none
   * for load, save and watch, 30,000 for the others.
   */
  readonly timeoutMs?: number | undefined;
}

/** Options of one call. */
export interface CallOptions {
  /**
   * Ends the call with CANCELLED, or DEADLINE_EXCEEDED where it is one of `AbortSignal.timeout`. A transfer for which no other call waits is
   * cancelled with it.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Deadline in milliseconds, from 0; Infinity, or more than 2,147,483,000 (24.8 days), for none. Default:
   * the client's.
   */
  readonly timeoutMs?: number | undefined;
}

/** Options of one load or save. */
export interface TransferCallOptions extends CallOptions {
  /**
   * Told the operation id of the call's transfer, once, as soon as the daemon has started or joined
   * it: from then on it can be watched or cancelled while the call still waits. Not called when the call
   * fails before that, nor by a daemon too old to tell. If it throws, the call is cancelled and fails
   * with that error.
   */
  readonly onStarted?: ((operationId: string) => void) | undefined;
}

/**
 * The options with the defaults filled in.
 * @internal
 */
export interface ResolvedClientOptions {
  readonly address: string;
  /** For where no daemon answers; undefined where another machine's address was named. */
  readonly advice: string | undefined;
  readonly namespace: string;
  readonly token: string;
  readonly tls: TlsSettings | undefined;
  readonly timeoutMs: number | undefined;
}

/**
 * Options win over environment variables; an empty namespace or token stands for none. Throws
 * INVALID_REQUEST for an address, a token or a deadline that cannot be one; a token is never shown.
 * @internal
 */
export function resolveClientOptions(
  options: CacheClientOptions,
  env: NodeJS.ProcessEnv = process.env,
): ResolvedClientOptions {
  const named = options.address?.trim();
  const daemon: FoundDaemon = named
    ? { address: named, found: "configured", passedOver: [] }
    : findDaemon(env);
  const address = parseAddress(daemon.address);
  const token = parseToken(options.token ?? env.COMPILE_CACHE_TOKEN ?? "");
  // The variables are about other machines: what listens on a socket of this one speaks no TLS.
  const tls = resolveTls(options.tls, isSocket(address) ? {} : env);
  requireSafeForToken(address, token, tls !== undefined);
  return {
    address,
    advice:
      daemon.found === "configured"
        ? startThereAdvice(address, command)
        : startAdvice(daemon, { command, option: "the client's address" }),
    namespace: options.namespace ?? env.COMPILE_CACHE_NAMESPACE?.trim() ?? "",
    token,
    tls,
    timeoutMs: requireTimeout(options.timeoutMs),
  };
}
