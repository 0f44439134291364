import { existsSync, lstatSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";

const systemSocket = "/run/compilecache/compilecache.sock";

/**
 * Where a daemon is expected when no address is given: COMPILE_CACHE_ADDRESS, else the system's socket,
 * else the socket that a daemon makes in its user's runtime directory where it cannot make that one.
 */
export function defaultAddress(env: NodeJS.ProcessEnv = process.env): string {
  const configured = env.COMPILE_CACHE_ADDRESS?.trim();
  if (configured) return configured;
  const userSocket = userSocketPath(env);
  // Any user could have made that directory in /tmp, and would receive our requests.
  const isThere = isOurs(resolve(userSocket, "..")) && existsSync(userSocket);
  return `unix:${!existsSync(systemSocket) && isThere ? userSocket : systemSocket}`;
}

/**
 * The socket of a daemon that has no right to the system's: in XDG_RUNTIME_DIR where that is this
 * user's directory and a socket in it can be named, else in a directory of /tmp. The daemon has the
 * same rule; test/vectors/places.json holds both to it.
 */
export function userSocketPath(env: NodeJS.ProcessEnv): string {
  const runtimeDir = env.XDG_RUNTIME_DIR ?? "";
  const directory = resolve(runtimeDir);
  const socket = `${directory}/compilecache/compilecache.sock`;
  // A process that changed its user may still have the variable of the first one.
  return isAbsolute(runtimeDir) && isOurs(directory) && canBeNamed(socket)
    ? socket
    : `/tmp/compilecache-${process.getuid?.()}/compilecache.sock`;
}

/** gRPC reads an address as a URL, and the kernel takes 107 bytes. */
function canBeNamed(socket: string): boolean {
  return /^[\w/.~@+-]{1,107}$/.test(socket);
}

function isOurs(directory: string): boolean {
  try {
    const found = lstatSync(directory);
    return found.isDirectory() && found.uid === process.getuid?.();
  } catch {
    return false;
  }
}
