import { CacheError, type FieldViolation, invalidRequest } from "./cache-error.ts";

type ResultsOf<Parsers extends readonly (() => unknown)[]> = {
  -readonly [I in keyof Parsers]: ReturnType<Parsers[I]>;
};

/**
 * Runs parsers, each of a part of a request, and returns what they return. Throws one
 * INVALID_REQUEST with the violations that they threw, or else the first other error.
 */
export function parseAll<const Parsers extends readonly (() => unknown)[]>(
  parsers: Parsers,
): ResultsOf<Parsers> {
  const violations: FieldViolation[] = [];
  const others: unknown[] = [];
  const results = parsers.map((parse) => {
    try {
      return parse();
    } catch (error) {
      if (error instanceof CacheError && error.reason === "INVALID_REQUEST")
        violations.push(...error.violations);
      else others.push(error);
      return undefined;
    }
  });
  if (violations.length > 0) throw invalidRequest(violations);
  if (others.length > 0) throw others[0];
  return results as ResultsOf<Parsers>;
}
