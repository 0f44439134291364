import { basename, dirname } from "node:path";
import { ownDaemonDirectories } from "compilecache-client/daemons";
import { systemSocketPath, userSocketPath } from "compilecache-client/places";

/** What clients need to be told, to find a daemon; undefined where they look there of themselves. */
export function addressHint(
  addresses: readonly string[],
  env: NodeJS.ProcessEnv,
): string | undefined {
  const [first] = addresses;
  // Who starts one for itself knows where.
  if (first === undefined || env.COMPILE_CACHE_STARTED_BY) return undefined;
  const owns = ownDaemonDirectories(env);
  const isLookedAt = (address: string) => {
    const path = address.replace(/^unix:/, "");
    if (path === systemSocketPath || path === userSocketPath(env)) return true;
    return owns.includes(dirname(path)) && basename(path).startsWith("own-");
  };
  return addresses.some(isLookedAt)
    ? undefined
    : `clients find this daemon by COMPILE_CACHE_ADDRESS=${first} (or --address)`;
}
