import { randomBytes } from "node:crypto";
import { chown, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type DaemonState, statePathOf } from "compilecache-client/daemons";

// Of the socket's rights: who may connect may read what the daemon says of itself.
const mostRights = 0o644;

/**
 * Writes beside a Unix socket what its daemon says of itself, in one step, for those who may connect; returns
 * what removes it again, unless another daemon has written there meanwhile.
 */
export async function writeStateFile(
  socketPath: string,
  state: DaemonState,
): Promise<() => Promise<void>> {
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
  return async () => {
    if ((await readFile(path, "utf8").catch(() => "")) === text) await rm(path, { force: true });
  };
}
