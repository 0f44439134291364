import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { CacheServiceError } from "../cache-service-error.ts";

/** What stands for "nothing is there", which no file's identity is. */
const nothing = "0:0";
const mostAttempts = 3;

/**
 * Whether a daemon at this address is one of this machine, so that it sees the same file systems under
 * the same numbers, or is in another container.
 */
export function isOfThisMachine(address: string): boolean {
  return /^(unix|unix-abstract):|^(localhost|127\.[\d.]+|\[::1\]):\d+$/.test(address);
}

/**
 * Which file or directory this process sees at a path, as the contract writes it; empty where that
 * cannot be found out. Where nothing is there, `orAbove` asks for the deepest directory that exists,
 * and `orUnsaid` for an empty text.
 */
export async function identityOf(
  path: string,
  { orAbove = false, orUnsaid = false } = {},
): Promise<string> {
  const absolute = resolve(path);
  try {
    const { dev, ino } = await stat(absolute, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") return "";
    if (orAbove && absolute !== "/") return identityOf(dirname(absolute), { orAbove });
    return orUnsaid ? "" : nothing;
  }
}

/**
 * Makes a call that says what this process sees. Where the daemon sees something else, the call is
 * made again if what is seen has changed: a load of another process has put a new directory there.
 */
export async function callAsSeen<Seen extends object, Result>(
  look: () => Promise<Seen>,
  call: (seen: Seen) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1, seen = await look(); ; attempt++) {
    try {
      return await call(seen);
    } catch (error) {
      const refused = error instanceof CacheServiceError && error.reason === "PATH_NOT_ALLOWED";
      if (!refused || attempt === mostAttempts) throw error;
      const now = await look();
      if (JSON.stringify(now) === JSON.stringify(seen)) throw error;
      seen = now;
    }
  }
}
