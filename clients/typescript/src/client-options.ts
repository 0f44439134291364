import { existsSync, lstatSync } from "node:fs";
import { isAbsolute } from "node:path";

/** How to reach a daemon, and defaults for the calls. */
export interface CacheClientOptions {
  /**
   * `unix:/path` or `host:port`. Default: COMPILE_CACHE_ADDRESS, else the daemon's default socket.
   */
  readonly address?: string | undefined;
  /** Namespace of the caches. Default: COMPILE_CACHE_NAMESPACE, else the daemon's, `default`. */
  readonly namespace?: string | undefined;
  /** Sent as `authorization: Bearer <token>`. Default: COMPILE_CACHE_TOKEN, else none. */
  readonly token?: string | undefined;
  /**
   * Deadline of each call, in milliseconds. Default: none for load, save and watch, 30,000 for the
   * others.
   */
  readonly timeoutMs?: number | undefined;
}

/** Options of one call. */
export interface CallOptions {
  /** Ends the call. A transfer for which no other call waits is cancelled with it. */
  readonly signal?: AbortSignal | undefined;
  /** Deadline in milliseconds; Infinity for none. Default: the client's. */
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

const systemSocket = "/run/compilecache/compilecache.sock";

/**
 * Where a daemon is expected when no address is given: COMPILE_CACHE_ADDRESS, else the system's socket,
 * else the socket that a daemon makes in its user's runtime directory where it cannot make that one.
 */
export function defaultAddress(env: NodeJS.ProcessEnv = process.env): string {
  if (env.COMPILE_CACHE_ADDRESS) return env.COMPILE_CACHE_ADDRESS;
  const runtimeDir = env.XDG_RUNTIME_DIR ?? "";
  // A process that changed its user may still have the variable of the first one.
  const directory =
    isAbsolute(runtimeDir) && isOurs(runtimeDir)
      ? `${runtimeDir}/compilecache`
      : `/tmp/compilecache-${process.getuid?.()}`;
  const userSocket = `${directory}/compilecache.sock`;
  // Any user could have made that directory in /tmp, and would receive our requests.
  if (!existsSync(systemSocket) && isOurs(directory) && existsSync(userSocket))
    return `unix:${userSocket}`;
  return `unix:${systemSocket}`;
}

function isOurs(directory: string): boolean {
  try {
    const found = lstatSync(directory);
    return found.isDirectory() && found.uid === process.getuid?.();
  } catch {
    return false;
  }
}

/** The options with the defaults filled in. */
export interface ResolvedClientOptions {
  readonly address: string;
  readonly namespace: string;
  readonly token: string;
  readonly timeoutMs: number | undefined;
}

/** Options win over environment variables; an empty namespace or token stands for none. */
export function resolveClientOptions(
  options: CacheClientOptions,
  env: NodeJS.ProcessEnv = process.env,
): ResolvedClientOptions {
  return {
    address: options.address || defaultAddress(env),
    namespace: options.namespace ?? env.COMPILE_CACHE_NAMESPACE ?? "",
    token: options.token ?? env.COMPILE_CACHE_TOKEN ?? "",
    timeoutMs: options.timeoutMs,
  };
}
