import { accessSync, constants, lstatSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type DaemonState,
  ownDaemonDirectories,
  readDaemonState,
  stateOfLife,
  statePathOf,
} from "compilecache-client/daemons";
import { isPrivate, systemSocketPath } from "compilecache-client/places";

/** A daemon that has left a file beside a socket, or just a socket. */
export interface KnownDaemon {
  readonly address: string;
  /** What it says of itself; undefined for one that is too old to say anything. */
  readonly state: DaemonState | undefined;
  /** Whether it is this user's own: only this user can have put its socket there. */
  readonly isOwn: boolean;
}

/** The system's daemons and this user's that run, or may run; each once, however many sockets it has. */
export function knownDaemons(env: NodeJS.ProcessEnv): KnownDaemon[] {
  const system = dirname(systemSocketPath);
  const own = ownDaemonDirectories(env).filter((directory) => isPrivate(directory));
  const seen = new Set<string>();
  return [system, ...own].flatMap((directory) =>
    socketsIn(directory).flatMap((path): KnownDaemon[] => {
      const state = readDaemonState(path);
      if (state && stateOfLife(state) === "gone") return [];
      const identity = state ? `${state.process} ${state.pid}` : path;
      if (seen.has(identity)) return [];
      seen.add(identity);
      return [{ address: `unix:${path}`, state, isOwn: directory !== system }];
    }),
  );
}

/** What is known of the daemon at an address. */
export function daemonAt(address: string): KnownDaemon {
  const path = socketPathOf(address);
  const state = path === undefined ? undefined : readDaemonState(path);
  return { address, state, isOwn: path !== undefined && isPrivate(dirname(path)) };
}

/** Whether no daemon can run at an address: its socket is not there, or was left by a process that is gone. */
export function isAbsent({ address, state }: KnownDaemon): boolean {
  if (state) return stateOfLife(state) === "gone";
  const path = socketPathOf(address);
  try {
    return path !== undefined && statSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    // This user may not look.
    return false;
  }
}

/** The file that says who the daemon at an address is, where this user may not read it. */
export function hiddenStatePath(address: string): string | undefined {
  const path = socketPathOf(address);
  if (path === undefined) return undefined;
  try {
    accessSync(statePathOf(path), constants.R_OK);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES" ? statePathOf(path) : undefined;
  }
}

function socketPathOf(address: string): string | undefined {
  return /^unix:(?:\/\/(?=\/))?(\/.*)$/.exec(address)?.[1];
}

function socketsIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(".sock"))
      .map((name) => join(directory, name))
      .filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isSocket())
      .sort();
  } catch {
    return [];
  }
}
