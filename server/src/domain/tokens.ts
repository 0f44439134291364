import { createHash, timingSafeEqual } from "node:crypto";

/** What a call needs: `write` implies `read`. */
export type Right = "read" | "write";

/** A secret that callers show, kept as its SHA-256, and what it allows. */
export interface Token {
  readonly right: Right;
  readonly digest: Buffer;
}

/**
 * The tokens of a file: a line each, `read` or `write`, then the token; `#` starts a comment line.
 * A token is of printable ASCII characters, for no other can be sent. Malformed lines are told by
 * their numbers, because their text may be secret.
 */
export function parseTokens(text: string): { tokens: Token[]; malformedLines: number[] } {
  const tokens: Token[] = [];
  const malformedLines: number[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const words = line.trim().split(/\s+/);
    const [right, secret] = words;
    if (right === "" || right?.startsWith("#")) continue;
    const sendable = secret !== undefined && /^[\x21-\x7e]+$/.test(secret);
    if ((right === "read" || right === "write") && sendable && words.length === 2)
      tokens.push({ right, digest: digestOf(secret) });
    else malformedLines.push(index + 1);
  }
  return { tokens, malformedLines };
}

/**
 * The rights that `secret` gives its holder; none where no token matches. Takes the same time for every
 * secret.
 */
export function rightsOf(tokens: readonly Token[], secret: string): ReadonlySet<Right> {
  const digest = digestOf(secret);
  const rights = new Set<Right>();
  for (const token of tokens) if (timingSafeEqual(token.digest, digest)) rights.add(token.right);
  return rights;
}

function digestOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
