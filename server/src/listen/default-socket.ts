import { lstatSync } from "node:fs";
import { chmod, lstat, mkdir } from "node:fs/promises";
import type { Server } from "node:net";
import { dirname, isAbsolute, resolve } from "node:path";
import type { Logger } from "../domain/logger.ts";
import { ListenError } from "./listen-error.ts";
import { type BoundSocket, listenOnSocket } from "./unix-socket.ts";

/** Where the daemon listens when nothing is configured. */
export const defaultSocketPath = "/run/compilecache/compilecache.sock";

/**
 * Where it listens when the default socket cannot be made: in XDG_RUNTIME_DIR where this user owns
 * that directory and a socket in it can be named, else in a directory of /tmp. The clients look in the
 * same place; test/vectors/places.json holds all of them to it.
 */
export function userSocketPath(environment: NodeJS.ProcessEnv): string {
  const runtimeDir = environment.XDG_RUNTIME_DIR ?? "";
  const directory = resolve(runtimeDir);
  const socket = `${directory}/compilecache/compilecache.sock`;
  return isAbsolute(runtimeDir) && isOurs(directory) && canBeNamed(socket)
    ? socket
    : `/tmp/compilecache-${process.getuid?.() ?? 0}/compilecache.sock`;
}

/** gRPC reads an address as a URL, and the kernel takes 107 bytes. */
function canBeNamed(socket: string): boolean {
  return /^[\w/.~@+-]{1,107}$/.test(socket);
}

/** A process that changed its user may still have the variable of the first one. */
function isOurs(directory: string): boolean {
  try {
    const found = lstatSync(directory);
    return found.isDirectory() && found.uid === process.getuid?.();
  } catch {
    return false;
  }
}

/**
 * Listens on `preferred`, or, where that cannot be made, on `other`, whose directory is made for
 * this user alone; the log says so. Throws a ListenError, also where another process listens on
 * `preferred`.
 */
export async function listenOnDefaultSocket(
  server: () => Server,
  { preferred, other }: { preferred: string; other: string },
  logger: Logger,
): Promise<{ path: string; server: Server; socket: BoundSocket }> {
  const first = server();
  try {
    return { path: preferred, server: first, socket: await listenOnSocket(first, preferred) };
  } catch (error) {
    if (!(error instanceof ListenError) || error.inUse) throw error;
    logger.warn("the default socket cannot be made; listening in the user's runtime directory", {
      reason: error.message,
      address: `unix:${other}`,
    });
  }
  await makePrivateDir(other);
  const second = server();
  return { path: other, server: second, socket: await listenOnSocket(second, other) };
}

/** In /tmp another user could have made the directory first, and would control the socket. */
async function makePrivateDir(socketPath: string): Promise<void> {
  const dir = dirname(socketPath);
  try {
    if (await mkdir(dir, { recursive: true, mode: 0o700 })) await chmod(dir, 0o700);
    const found = await lstat(dir);
    if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0)
      throw new Error(`${dir} is not this user's own directory, or others may write to it`);
  } catch (error) {
    throw new ListenError(`unix:${socketPath}`, (error as Error).message, { cause: error });
  }
}
