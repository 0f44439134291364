import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import { type DaemonState, readDaemonState, stateOfLife } from "./daemon-state.ts";
import { ownDaemonSockets } from "./own-daemon.ts";
import { isOurs, systemSocketPath, userSocketPath } from "./places.ts";
import { namedStore, requireStore, storeLocation } from "./store-location.ts";

/** The daemon that calls go to where no address is given, and how it was found. */
export interface FoundDaemon {
  readonly address: string;
  /**
   * COMPILE_CACHE_ADDRESS named it; or it has the socket of the system, or of this user; or it is the one
   * that the Python package started; or nothing was found, and the address is where one is expected.
   */
  readonly found: "configured" | "system" | "user" | "own" | "nothing";
  /** What the daemon says of itself, where it does. */
  readonly state?: DaemonState;
  /** Where else was looked, and why none was taken there. */
  readonly passedOver: readonly PassedOver[];
}

/** A socket that is not taken. */
export interface PassedOver {
  readonly address: string;
  /** Worded to follow the address: "is not there". */
  readonly why: string;
}

/**
 * Looks for a daemon: COMPILE_CACHE_ADDRESS, else the system's socket, this user's, and those of the daemon
 * that the Python package starts for this store. One of another store than these variables name is passed
 * over. No daemon is asked: a socket that a killed one left is known by the file beside it. Throws INVALID_REQUEST where no address is named, and
 * the variables name no store.
 */
export function findDaemon(env: NodeJS.ProcessEnv = process.env): FoundDaemon {
  const configured = env.COMPILE_CACHE_ADDRESS?.trim();
  if (configured) return { address: configured, found: "configured", passedOver: [] };
  requireStore(env);
  const named = namedStore(env);
  const passedOver: PassedOver[] = [];
  const judged = (path: string, found: FoundDaemon["found"]): FoundDaemon | undefined => {
    const address = `unix:${path}`;
    const state = readDaemonState(path);
    const why = whyNot(path) ?? (state && whyNotThatOne(state, named));
    if (why === undefined) return { address, found, passedOver, ...(state ? { state } : {}) };
    passedOver.push({ address, why });
    return undefined;
  };
  const own = () => {
    // Of the places where it could be the first is where it is expected.
    const [first, ...others] = ownDaemonSockets(env);
    const there = others.filter((path) => existsSync(path));
    for (const path of first === undefined ? there : [first, ...there]) {
      const taken = judged(path, "own");
      if (taken) return taken;
    }
    return undefined;
  };
  return (
    judged(systemSocketPath, "system") ??
    judged(userSocketPath(env), "user") ??
    own() ?? { address: `unix:${systemSocketPath}`, found: "nothing", passedOver }
  );
}

function whyNot(path: string): string | undefined {
  if (!existsSync(path)) return "is not there";
  // Any user could have made that directory in /tmp, and would receive our requests.
  if (path !== systemSocketPath && !isOurs(dirname(path)))
    return "is in a directory that is not this user's";
  try {
    accessSync(path, constants.W_OK);
    return undefined;
  } catch {
    return "may not be used by this user";
  }
}

function whyNotThatOne(state: DaemonState, named: string | undefined): string | undefined {
  if (stateOfLife(state) === "gone") return `was left by process ${state.pid}, which is gone`;
  if (named === undefined || isSameStore(state.store, named)) return undefined;
  return `is of a daemon of another store, ${state.store}; this process names ${named}`;
}

function isSameStore(one: string, other: string): boolean {
  return one === other || storeLocation(one) === storeLocation(other);
}
