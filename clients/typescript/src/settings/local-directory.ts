import { mkdir, rmdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { torchDefaultDirectory } from "./places.ts";

/**
 * Absolute path of the directory where torch keeps its cache in a process with this environment:
 * TORCHINDUCTOR_CACHE_DIR, else `torchinductor_<user>` in the temporary directory.
 */
export function torchCacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const named = env.TORCHINDUCTOR_CACHE_DIR;
  return named ? resolve(named) : torchDefaultDirectory(env);
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
 * @internal
 */
export async function createLocalDirectory(localDir: string): Promise<CreatedDirectory> {
  const outermost = await mkdir(localDir, { recursive: true }).catch(() => undefined);
  return {
    async removeIfEmpty() {
      if (outermost === undefined) return;
      try {
        for (let path = localDir; path.length >= outermost.length; path = dirname(path))
          await rmdir(path);
      } catch {
        // It holds something by now, or another process has removed it.
      }
    },
  };
}

/**
 * A directory for a load to fill.
 * @internal
 */
export interface CreatedDirectory {
  /** Removes what had to be made of it, the directories above too, as far as that is still empty. */
  removeIfEmpty(): Promise<void>;
}
