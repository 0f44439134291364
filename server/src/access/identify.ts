import { CacheError } from "../domain/cache-error.ts";
import type { Caller } from "./caller.ts";
import type { CallerCertificate } from "./caller-certificate.ts";
import type { Policy } from "./policy.ts";
import { findToken } from "./tokens.ts";

/**
 * Who calls, by the `authorization` header of a call, and by the certificate that the connection has
 * proven. Throws UNAUTHENTICATED where one of these is wanted and none is shown, and for a
 * token that is unknown or has expired. Takes the same time for every token.
 */
export function identify(
  { anyone, tokens, certificates }: Policy,
  authorization: string | undefined,
  certificate: CallerCertificate | undefined,
): Caller {
  const [, secret] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
  if (tokens.length > 0 && secret !== undefined) {
    const found = findToken(tokens, secret, new Date());
    if (found === "expired") throw unauthenticated("the token has expired");
    if (!found) throw unauthenticated("the token is not known here");
    return found;
  }
  const known = certificates.find(({ name }) => certificate?.isOf(name));
  if (known) return known.caller;
  if (anyone) return anyone;
  if (certificate !== undefined && tokens.length === 0)
    throw unauthenticated(`the certificate of ${certificate.shown} is not known here`);
  throw unauthenticated(
    "this daemon wants a token: send the metadata `authorization: Bearer <token>`",
  );
}

function unauthenticated(why: string): CacheError {
  return new CacheError("UNAUTHENTICATED", why);
}
