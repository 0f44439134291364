import { chmod, lstat, mkdir } from "node:fs/promises";
import type { Server } from "node:net";
import { dirname } from "node:path";
import type { Logger } from "../domain/logger.ts";
import { ListenError } from "./listen-error.ts";
import type { SocketRights } from "./listener.ts";
import { type BoundSocket, listenOnSocket } from "./unix-socket.ts";

/**
 * Listens on `preferred`, or, where that cannot be made, on `other`, whose directory is made for
 * this user alone; the log says so. Throws a ListenError, also where another process listens on
 * `preferred`.
 */
export async function listenOnDefaultSocket(
  server: () => Server,
  { preferred, other }: { preferred: string; other: string },
  rights: SocketRights,
  logger: Logger,
): Promise<{ path: string; server: Server; socket: BoundSocket }> {
  const first = server();
  try {
    return {
      path: preferred,
      server: first,
      socket: await listenOnSocket(first, preferred, rights),
    };
  } catch (error) {
    if (!(error instanceof ListenError) || error.inUse) throw error;
    logger.info("the default socket cannot be made; listening in the user's runtime directory", {
      reason: error.message,
      address: `unix:${other}`,
    });
  }
  await makePrivateDir(other);
  const second = server();
  return { path: other, server: second, socket: await listenOnSocket(second, other, rights) };
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
