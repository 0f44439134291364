import { mkdir } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";

/**
 * Absolute path of the directory where torch keeps its cache in a process with this environment:
 * TORCHINDUCTOR_CACHE_DIR, else `torchinductor_<user>` in the temporary directory.
 */
export function torchCacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  if (env.TORCHINDUCTOR_CACHE_DIR) return resolve(env.TORCHINDUCTOR_CACHE_DIR);
  const user = env.LOGNAME || env.USER || env.LNAME || env.USERNAME || accountName();
  return join(tmpdir(), `torchinductor_${user.replace(/[\\/:*?"<>|]/g, "_")}`);
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an account, as containers have, and torch's word for one.
    return `uid_${process.getuid?.()}`;
  }
}

/** The directory that a request means, as an absolute path. */
export function resolveLocalDirectory(localDir: string | undefined): string {
  return localDir ? resolve(localDir) : torchCacheDirectory();
}

/**
 * Creates a directory for a load to fill, so that it belongs to this process's user. A failure is
 * left for the daemon to judge: it may see the path elsewhere, or be allowed what we are not.
 */
export async function createLocalDirectory(localDir: string): Promise<void> {
  await mkdir(localDir, { recursive: true }).catch(() => {});
}
