import { randomBytes } from "node:crypto";
import { chown, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type DaemonState, statePathOf } from "compilecache-client/daemons";

// Of the socket's rights: who may connect may read what the daemon says of itself.
const mostRights = 0o644;

/** A file beside a Unix socket, in which its daemon says what it is. */
export interface StateFile {
  /** Says something else, unless another daemon has written there meanwhile. */
  update(state: DaemonState): Promise<void>;
  /** Removes it, unless another daemon has written there meanwhile. */
  remove(): Promise<void>;
}

/** Writes beside a Unix socket what its daemon says of itself, in one step, for those who may connect. */
export async function writeStateFile(socketPath: string, state: DaemonState): Promise<StateFile> {
  const path = statePathOf(socketPath);
  let text = await write(socketPath, state);
  const isOwn = async () => (await readFile(path, "utf8").catch(() => "")) === text;
  return {
    async update(next) {
      if (await isOwn()) text = await write(socketPath, next);
    },
    async remove() {
      if (await isOwn()) await rm(path, { force: true });
    },
  };
}

/** Returns what it has written. */
async function write(socketPath: string, state: DaemonState): Promise<string> {
  const path = statePathOf(socketPath);
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(3).toString("hex")}`);
  const text = `${JSON.stringify(state)}\n`;
  const socket = await stat(socketPath);
  try {
    await writeFile(temporary, text, { flag: "wx", mode: (socket.mode & mostRights) | 0o600 });
    if (process.getuid?.() === 0 || socket.gid !== process.getgid?.())
      await chown(temporary, socket.uid, socket.gid);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  return text;
}
