import { readFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { invalidRequest } from "../cache-service-error.ts";

/** How a connection is encrypted. Paths are those of PEM files. */
export interface TlsOptions {
  /** Certificates of those who sign the daemon's; `system` for those that this machine trusts. */
  readonly ca: string;
  /** The caller's own certificate and its key, for a daemon that asks for one. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the daemon's certificate has. Default: the address's host. */
  readonly name?: string | undefined;
}

/**
 * What the files hold.
 * @internal
 */
export interface TlsSettings {
  /** Undefined for those that this machine trusts. */
  readonly ca: Buffer | undefined;
  readonly own: { readonly certificate: Buffer; readonly key: Buffer } | undefined;
  readonly name: string | undefined;
}

/**
 * The encryption that is asked for, by options or else by COMPILE_CACHE_TLS_CA, _CERT, _KEY and _NAME;
 * undefined for none. Throws INVALID_REQUEST for files that cannot be read, or that do not go together.
 * @internal
 */
export function resolveTls(
  options: TlsOptions | undefined,
  env: NodeJS.ProcessEnv,
): TlsSettings | undefined {
  const variable = (name: string) => env[`COMPILE_CACHE_TLS_${name}`]?.trim() || undefined;
  const { ca, certificate, key, name } = options ?? {
    ca: variable("CA"),
    certificate: variable("CERT"),
    key: variable("KEY"),
    name: variable("NAME"),
  };
  if (ca === undefined) {
    if (certificate ?? key ?? name)
      throw wrong("is needed with the others: a file of certificates to trust, or system", "CA");
    return undefined;
  }
  if ((certificate === undefined) !== (key === undefined))
    throw wrong(
      "is needed with the other: a certificate and its key go together",
      certificate ? "KEY" : "CERT",
    );
  return {
    ca: ca === "system" ? undefined : contentOf(ca, "CA"),
    own:
      certificate && key
        ? { certificate: contentOf(certificate, "CERT"), key: contentOf(key, "KEY") }
        : undefined,
    name,
  };
}

/** Throws INVALID_REQUEST where a token would travel to another machine without encryption. */
export function requireSafeForToken(address: string, token: string, isEncrypted: boolean): void {
  if (token === "" || isEncrypted || isOfThisMachine(address)) return;
  throw invalidRequest(
    "token",
    `a token (COMPILE_CACHE_TOKEN) is not sent to ${address} without encryption: ` +
      "give the certificates to trust (COMPILE_CACHE_TLS_CA)",
  );
}

/** Whether an address is a Unix socket's. */
export function isSocket(address: string): boolean {
  return /^unix(-abstract)?:/.test(address);
}

function isOfThisMachine(address: string): boolean {
  if (isSocket(address)) return true;
  const host = address.replace(/^(ipv4|ipv6|dns):(\/\/\/)?/, "").replace(/:\d+$/, "");
  return host === "localhost" || host === "[::1]" || (isIPv4(host) && host.startsWith("127."));
}

function contentOf(path: string, variable: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw wrong(
      `${JSON.stringify(path)} cannot be read: ${(error as NodeJS.ErrnoException).code}`,
      variable,
    );
  }
}

function wrong(words: string, variable: string) {
  return invalidRequest("tls", `COMPILE_CACHE_TLS_${variable} ${words}`);
}
