import { accessSync, constants, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";

/**
 * Absolute path of the directory where torch keeps its cache in a process with this environment:
 * TORCHINDUCTOR_CACHE_DIR, else `torchinductor_<user>` in the temporary directory. The daemon has the
 * same rule; test/vectors/places.json holds both to it.
 */
export function torchCacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  if (env.TORCHINDUCTOR_CACHE_DIR) return resolve(env.TORCHINDUCTOR_CACHE_DIR);
  const user = env.LOGNAME || env.USER || env.LNAME || env.USERNAME || accountName();
  const name = user.replace(/[\\/:*?"<>|]/g, "_");
  return resolve(join(temporaryDirectory(env), `torchinductor_${name}`));
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an account, as containers have, and torch's word for one.
    return `uid_${process.getuid?.()}`;
  }
}

/** As Python's tempfile.gettempdir finds it: a variable that names no usable directory is passed over. */
function temporaryDirectory({ TMPDIR, TEMP, TMP }: NodeJS.ProcessEnv): string {
  const candidates = [TMPDIR, TEMP, TMP, "/tmp", "/var/tmp", "/usr/tmp"];
  return candidates.find((directory) => directory && canHoldFiles(directory)) ?? process.cwd();
}

function canHoldFiles(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return statSync(directory).isDirectory();
  } catch {
    return false;
  }
}

/**
 * The directory that a request means, as an absolute path: the one that is named, else
 * TORCH_CACHE_DIR, else where torch keeps its cache.
 */
export function resolveLocalDirectory(
  localDir: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): string {
  const named = localDir || env.TORCH_CACHE_DIR;
  return named ? resolve(named) : torchCacheDirectory(env);
}

/**
 * Creates a directory for a load to fill, so that it belongs to this process's user. A failure is
 * left for the daemon to judge: it may see the path elsewhere, or be allowed what we are not.
 */
export async function createLocalDirectory(localDir: string): Promise<void> {
  await mkdir(localDir, { recursive: true }).catch(() => {});
}
