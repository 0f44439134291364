import { isIPv4, isIPv6 } from "node:net";
import { isAbsolute, resolve } from "node:path";

/** Where the daemon listens. Port 0 lets the system choose one. */
export type ListenAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** `unix:/path`, `unix:///path`, a path alone, `host:port` or `[ipv6]:port`; undefined for anything else. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  if (text.startsWith("unix:") || text.startsWith("/")) {
    const path = text.replace(/^unix:(\/\/)?/, "");
    const named = isAbsolute(path) && !path.endsWith("/") && !path.includes("\0");
    return named ? { kind: "unix", path: resolve(path) } : undefined;
  }
  const [, bracketed, name, digits] =
    /^(?:\[([^\]]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? name;
  const port = Number(digits);
  if (host === undefined || port > 65_535) return undefined;
  if (bracketed !== undefined && !isIPv6(bracketed)) return undefined;
  return { kind: "tcp", host, port };
}

/** The address as a gRPC client takes it. */
export function formatListenAddress(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  return isIPv6(address.host)
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}

/** Whether only processes of this machine can reach the address. */
export function isLocalOnly(address: ListenAddress): boolean {
  if (address.kind === "unix") return true;
  const { host } = address;
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}
