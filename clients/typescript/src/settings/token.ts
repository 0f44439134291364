import { invalidRequest } from "../cache-service-error.ts";

/**
 * A token without the blanks around it, which files of secrets leave there; empty stands for none.
 * Throws INVALID_REQUEST, which does not show it, for one that no call could carry.
 */
export function parseToken(text: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]*$/.test(token)) return token;
  throw invalidRequest(
    "token",
    "a token (COMPILE_CACHE_TOKEN) is of printable ASCII characters without blanks, and this one, " +
      "which is not shown, holds another",
  );
}
