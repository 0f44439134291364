import { invalidRequest } from "../cache-service-error.ts";

/**
 * The longest deadline that there is, of nearly 25 days; a longer one is none. gRPC tells it in whole
 * seconds, and timers take 2^31-1 ms.
 */
export const longestTimeoutMs = 2_147_483_000;

/**
 * A deadline as it was given, in milliseconds; Infinity for one that is longer than the longest. Throws
 * INVALID_REQUEST for what is none, such as NaN.
 */
export function requireTimeout(timeoutMs: number | undefined): number | undefined {
  if (timeoutMs === undefined || timeoutMs === null) return undefined;
  if (typeof timeoutMs === "number" && timeoutMs >= 0)
    return timeoutMs <= longestTimeoutMs ? timeoutMs : Number.POSITIVE_INFINITY;
  throw invalidRequest(
    "timeoutMs",
    `${String(timeoutMs)} is no deadline; give milliseconds from 0, or Infinity for none`,
  );
}
