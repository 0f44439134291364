import { createHash, timingSafeEqual } from "node:crypto";
import { CacheError } from "../domain/cache-error.ts";

/** What a call needs: `write` implies `read`. */
export type Right = "read" | "write";

/** A secret that callers show, kept as its SHA-256, and what it allows. */
export interface Token {
  readonly right: Right;
  readonly digest: Buffer;
}

const digestOf = (secret: string): Buffer => createHash("sha256").update(secret).digest();

/**
 * The tokens of a file: a line each, `read` or `write`, then the token; `#` starts a comment line.
 * Tells malformed lines by their number, for their text may be secret.
 */
export function parseTokens(text: string): { tokens: Token[]; malformedLines: number[] } {
  const tokens: Token[] = [];
  const malformedLines: number[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const words = line.trim().split(/\s+/);
    const [right, secret] = words;
    if (right === "" || right?.startsWith("#")) continue;
    if ((right === "read" || right === "write") && secret !== undefined && words.length === 2)
      tokens.push({ right, digest: digestOf(secret) });
    else malformedLines.push(index + 1);
  }
  return { tokens, malformedLines };
}

/**
 * Judges the `authorization` header of a call: throws UNAUTHENTICATED without a known bearer token,
 * FORBIDDEN when that allows less than `needed`. Takes the same time whatever token is shown.
 */
export type Authorize = (authorization: string | undefined, needed: Right) => void;

/** Without tokens everybody may do everything. */
export function createAuthorize(tokens: readonly Token[] | undefined): Authorize {
  if (!tokens) return () => {};
  return (authorization, needed) => {
    const [, secret] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
    if (secret === undefined)
      throw new CacheError(
        "UNAUTHENTICATED",
        "this daemon wants a token: send the metadata `authorization: Bearer <token>`",
      );
    const digest = digestOf(secret);
    const rights = new Set<Right>();
    for (const token of tokens) if (timingSafeEqual(token.digest, digest)) rights.add(token.right);
    if (rights.size === 0) throw new CacheError("UNAUTHENTICATED", "the token is not known here");
    if (needed === "write" && !rights.has("write"))
      throw new CacheError("FORBIDDEN", "the token allows reading only");
  };
}
