import { findDaemon } from "./find-daemon.ts";

/**
 * Where a daemon is expected when no address is given: COMPILE_CACHE_ADDRESS, else the first of these that
 * is there and is of no other store than the variables name: the system's socket, this user's, that of
 * the daemon which the Python package starts. Where nothing is there, the system's socket. Throws INVALID_REQUEST for variables that
 * name no store.
 */
export function defaultAddress(env: NodeJS.ProcessEnv = process.env): string {
  return findDaemon(env).address;
}
