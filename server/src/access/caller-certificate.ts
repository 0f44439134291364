import type { X509Certificate } from "node:crypto";

/** A certificate that its holder has proven to hold, and whose signer is trusted. */
export interface CallerCertificate {
  /** Whether it names this: a URI, a DNS name, or, where it has no DNS names, its subject's common name. */
  isOf(name: string): boolean;
  /** What people are shown of it. */
  readonly shown: string;
}

/** What a certificate says of its holder. Only names that it spells out count: no wildcards. */
export function callerCertificate(certificate: X509Certificate): CallerCertificate {
  const { subject, subjectAltName } = certificate;
  // Node escapes commas in names.
  const names = subjectAltName?.split(", ") ?? [];
  return {
    // Who signs certificates may judge URIs, and let a common name look like one.
    isOf: (name) =>
      name.includes("://") ? names.includes(`URI:${name}`) : isHost(certificate, name),
    shown: JSON.stringify(subjectAltName || subject || "no name"),
  };
}

function isHost(certificate: X509Certificate, name: string): boolean {
  // A name that begins with a dot would match all names that end so.
  const found = certificate.checkHost(name, { wildcards: false });
  return found?.toLowerCase() === name.toLowerCase();
}
