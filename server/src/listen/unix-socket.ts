import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Stats } from "node:fs";
import { chmod, lchown, link, lstat, mkdir, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ListenError } from "./listen-error.ts";
import type { SocketRights } from "./listener.ts";

const longestPathBytes = 107;
const temporaryNameBytes = ".123456".length;

/** A socket file that this process listens on. */
export interface BoundSocket {
  /** Unlinks the file, unless another process has replaced it. Call it before the server closes. */
  remove(): Promise<void>;
}

/**
 * Listens on a socket file with these rights, and makes its directory (mode 0755) where it is missing. The
 * file appears in one step, ready for connections; a stale one is replaced. Throws a ListenError, `inUse`
 * where another process listens there.
 *
 * The socket is bound under a temporary name, to which nobody else may connect, and linked to its own
 * once its rights are set: `link` fails where a file exists, and Node's unlinking on close hits the
 * temporary name, so it never takes a successor's socket away.
 */
export async function listenOnSocket(
  server: Server,
  path: string,
  rights: SocketRights,
): Promise<BoundSocket> {
  const address = `unix:${path}`;
  const room =
    longestPathBytes - Math.max(0, temporaryNameBytes - Buffer.byteLength(basename(path)));
  const length = Buffer.byteLength(path);
  if (length > room)
    throw new ListenError(
      address,
      `its path is ${length} bytes long, and a socket's may be ${room} at most; choose a shorter one`,
    );
  const temporary = join(dirname(path), `.${randomBytes(3).toString("hex")}`);
  try {
    if (await mkdir(dirname(path), { recursive: true })) await chmod(dirname(path), 0o755);
    listenPrivately(server, temporary);
    await once(server, "listening");
    await setRights(temporary, rights);
    await claim(temporary, path);
    const own = await lstat(temporary);
    await unlink(temporary);
    return { remove: () => removeIfSame(path, own) };
  } catch (error) {
    server.close();
    if (error instanceof ListenError) throw error;
    throw new ListenError(address, (error as Error).message, { cause: error });
  }
}

/** Nobody else may connect from the first moment on. The file is made before this returns. */
function listenPrivately(server: Server, path: string): void {
  const before = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
}

async function setRights(path: string, { mode, uid, gid }: SocketRights): Promise<void> {
  // -1 leaves an id as it is.
  if (uid !== undefined || gid !== undefined) await lchown(path, uid ?? -1, gid ?? -1);
  await chmod(path, mode);
}

/** Links a bound socket to its name, which a stale socket may still have. */
async function claim(temporary: string, path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await link(temporary, path);
      if (attempt === 1) return;
      // A process that saw the same stale socket may be about to unlink ours in its place.
      await delay(50);
      if (isSame(await lstat(path).catch(() => undefined), await lstat(temporary))) return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt === 5) throw error;
    }
    await removeIfStale(path);
  }
}

/** Unlinks a socket on which no process listens. Throws a ListenError for anything else. */
async function removeIfStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (!found) return;
  if (!found.isSocket())
    throw new ListenError(`unix:${path}`, "a file that is no socket is in the way");
  const answer = await probe(path);
  if (answer === "ENOENT") return;
  if (answer === "connected")
    throw new ListenError(`unix:${path}`, "another process listens there already", { inUse: true });
  if (answer !== "ECONNREFUSED")
    throw new ListenError(`unix:${path}`, `a socket is there, but connecting gives ${answer}`, {
      inUse: true,
    });
  await removeIfSame(path, found);
}

/** The result of connecting to a socket: `connected`, or an error code. */
function probe(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve("connected");
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

async function removeIfSame(path: string, known: Stats): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (isSame(found, known)) await unlink(path).catch(() => {});
}

function isSame(one: Stats | undefined, other: Stats): boolean {
  return one?.dev === other.dev && one.ino === other.ino;
}
