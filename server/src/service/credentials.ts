import { CacheError } from "../domain/cache-error.ts";
import { type Right, rightsOf, type Token } from "../domain/tokens.ts";

/**
 * Judges the `authorization` header of a call: throws UNAUTHENTICATED without a known bearer token,
 * FORBIDDEN when the token allows less than `needed`. Takes the same time for every token.
 */
export type Authorize = (authorization: string | undefined, needed: Right) => void;

/** Without tokens every caller may do everything. */
export function createAuthorize(tokens: readonly Token[] | undefined): Authorize {
  if (!tokens) return () => {};
  return (authorization, needed) => {
    const [, secret] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
    if (secret === undefined)
      throw new CacheError(
        "UNAUTHENTICATED",
        "this daemon wants a token: send the metadata `authorization: Bearer <token>`",
      );
    const rights = rightsOf(tokens, secret);
    if (rights.size === 0) throw new CacheError("UNAUTHENTICATED", "the token is not known here");
    if (needed === "write" && !rights.has("write"))
      throw new CacheError("FORBIDDEN", "the token allows reading only");
  };
}
