import { accessSync, constants, existsSync } from "node:fs";
import { resolve } from "node:path";
import { isOurs, systemSocketPath, userSocketPath } from "./places.ts";

/**
 * Where a daemon is expected when no address is given: COMPILE_CACHE_ADDRESS, else the system's socket if
 * this user may connect to it, else the socket that a daemon makes in its user's runtime directory where it cannot make that one.
 */
export function defaultAddress(env: NodeJS.ProcessEnv = process.env): string {
  const configured = env.COMPILE_CACHE_ADDRESS?.trim();
  if (configured) return configured;
  const userSocket = userSocketPath(env);
  // Any user could have made that directory in /tmp, and would receive our requests.
  const isThere = isOurs(resolve(userSocket, "..")) && existsSync(userSocket);
  return `unix:${!mayConnect(systemSocketPath) && isThere ? userSocket : systemSocketPath}`;
}

function mayConnect(socket: string): boolean {
  try {
    accessSync(socket, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
