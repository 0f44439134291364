import { readFileSync } from "node:fs";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import type { Logger } from "../../../domain/logger.ts";

/** Each names a file of certificates in PEM, for the AWS tools, OpenSSL, and Python's requests. */
const variables = ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"];

/**
 * What TLS connections trust: what Node does (its own list, and NODE_EXTRA_CA_CERTS), and the
 * certificates in the files that the environment names, or `ca_bundle` of the profile. Undefined where
 * nothing is added. A file that cannot be used is passed over with a warning.
 */
export function readTrustedCertificates(
  environment: NodeJS.ProcessEnv,
  caBundle: string,
  logger: Logger,
): SecureContext | undefined {
  const named = variables.map((name) => [name, environment[name]] as const);
  const added: string[] = [];
  for (const [name, path] of [...named, ["ca_bundle of the profile", caBundle] as const]) {
    if (!path) continue;
    try {
      const pem = readFileSync(path, "utf8");
      // Throws where it is not one, before others are joined to it.
      createSecureContext({ ca: pem });
      if (!pem.includes("-----BEGIN")) throw new Error("it holds no certificate in PEM");
      added.push(pem);
    } catch (error) {
      const why = (error as Error).message;
      logger.warn(`${name} is passed over: ${JSON.stringify(path)} cannot be used: ${why}`);
    }
  }
  if (added.length === 0) return undefined;
  // Made once: reading a hundred certificates for each connection would take longer than connecting.
  return createSecureContext({ ca: [...getCACertificates("default"), ...added] });
}
