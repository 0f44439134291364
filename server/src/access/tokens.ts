import { createHash, timingSafeEqual } from "node:crypto";
import type { Caller } from "./caller.ts";

/** A secret that callers show, kept as its SHA-256. */
interface Secret {
  /** What the log calls who shows it. */
  readonly name: string;
  readonly digest: Buffer;
  /** From when on it counts no more. */
  readonly expiresAt?: Date;
}

/** A token, and who shows it. */
export interface Token extends Secret {
  readonly caller: Caller;
}

/** A token of a tokens file; `write` implies `read`. */
export interface FileToken extends Secret {
  readonly word: "read" | "write";
}

/**
 * The tokens of a file: a line each, `read` or `write`, then the token or `sha256:` and its digest in
 * hexadecimal digits; `name=...` and `expires=...` (a date, or a date and a time) may follow. `#` starts
 * a comment line. A token is of printable ASCII characters, for no other can be sent. Malformed lines are
 * told by their numbers, because their text may be secret.
 */
export function parseTokens(text: string): { tokens: FileToken[]; malformedLines: number[] } {
  const tokens: FileToken[] = [];
  const malformedLines: number[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const [word, secret, ...more] = line.trim().split(/\s+/);
    if (word === "" || word?.startsWith("#")) continue;
    const digest = secret === undefined ? undefined : digestIn(secret);
    const fields = fieldsIn(more);
    if ((word === "read" || word === "write") && digest && fields)
      tokens.push({ name: `of line ${index + 1}`, ...fields, word, digest });
    else malformedLines.push(index + 1);
  }
  return { tokens, malformedLines };
}

/** What follows a token in its line; undefined if it is malformed. */
function fieldsIn(words: readonly string[]): { name?: string; expiresAt?: Date } | undefined {
  const fields: { name?: string; expiresAt?: Date } = {};
  for (const word of words) {
    const [, field, value = ""] = /^(name|expires)=(.+)$/.exec(word) ?? [];
    if (field === "name" && isTokenName(value)) fields.name = value;
    else if (field === "expires" && parseExpiry(value))
      fields.expiresAt = parseExpiry(value) as Date;
    else return undefined;
  }
  return fields;
}

export function isTokenName(text: string): boolean {
  return /^[\w.@-]{1,64}$/.test(text);
}

/** `2027-01-31`, which is the end of that day (UTC), or a date and a time with its zone. */
export function parseExpiry(text: string): Date | undefined {
  const isDate = /^\d{4}-\d\d-\d\d$/.test(text);
  if (!isDate && !/^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
  const ms = Date.parse(text);
  const [day = ""] = text.split("T");
  // The 31st of February would be a day of March.
  if (Number.isNaN(ms) || new Date(day).getUTCDate() !== Number(day.slice(8))) return undefined;
  return new Date(isDate ? ms + 86_400_000 : ms);
}

/** The digest of a token, or the one that stands in its place; undefined for what cannot be sent. */
function digestIn(secret: string): Buffer | undefined {
  if (secret.startsWith("sha256:")) return parseDigest(secret.slice("sha256:".length));
  return /^[\x21-\x7e]+$/.test(secret) ? digestOf(secret) : undefined;
}

/** A SHA-256 from its 64 hexadecimal digits. */
export function parseDigest(hex: string): Buffer | undefined {
  return /^[0-9a-f]{64}$/i.test(hex) ? Buffer.from(hex, "hex") : undefined;
}

/**
 * The caller who shows `secret`; "expired" where only a token that counts no more matches. Takes the same
 * time for every secret. Where one secret has several lines, what they allow adds up.
 */
export function findToken(
  tokens: readonly Token[],
  secret: string,
  now: Date,
): Caller | "expired" | undefined {
  const digest = digestOf(secret);
  let expired = false;
  let found: Caller | undefined;
  for (const token of tokens) {
    if (!timingSafeEqual(token.digest, digest)) continue;
    if (token.expiresAt && token.expiresAt <= now) expired = true;
    else
      found = {
        name: token.caller.name,
        rules: [...(found?.rules ?? []), ...token.caller.rules],
      };
  }
  return found ?? (expired ? "expired" : undefined);
}

function digestOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
