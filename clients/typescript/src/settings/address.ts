import { invalidRequest } from "../cache-service-error.ts";

/** Names for gRPC's own resolvers, which judge the rest themselves. */
const otherSchemes = /^(dns|ipv4|ipv6|unix-abstract|xds):[^\s\p{Cc}]+$/u;
const hostAndPort = /^(\[[\da-fA-F:.]+(%\w+)?\]|[\w.-]+):(\d{1,5})$/;
const mostShown = 200;

/**
 * The address of a daemon: `unix:/path` or just the path, `host:port`, `[ipv6]:port`. Blanks and
 * quotes around it, which files of variables leave there, are no part of it. Throws INVALID_REQUEST.
 */
export function parseAddress(text: string): string {
  const address = text
    .trim()
    .replace(/^(["'])(.*)\1$/s, "$2")
    .trim();
  const scheme = /^unix:(\/\/(?=\/))?/.exec(address)?.[0] ?? "";
  const path = scheme || address.startsWith("/") ? address.slice(scheme.length) : "";
  // A relative one would be another's in each process.
  if (/^\/(?!\/)/.test(path) && !/\p{Cc}/u.test(path)) return `unix:${path}`;
  const port = scheme ? Number.NaN : Number(hostAndPort.exec(address)?.[3]);
  if ((port >= 1 && port <= 65_535) || otherSchemes.test(address)) return address;
  const masked = address.replace(/(:\/\/)[^/@]*@/g, "$1***@").slice(0, mostShown);
  throw invalidRequest(
    "address",
    `${JSON.stringify(masked)} is not where a daemon can be (COMPILE_CACHE_ADDRESS); ` +
      "give unix:/path, host:port or [ipv6]:port",
  );
}
