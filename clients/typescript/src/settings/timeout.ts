import { invalidRequest } from "../cache-service-error.ts";

/** A deadline as it was given, in milliseconds. Throws INVALID_REQUEST for what is none, such as NaN. */
export function requireTimeout(timeoutMs: number | undefined): number | undefined {
  if (timeoutMs === undefined || (typeof timeoutMs === "number" && timeoutMs >= 0))
    return timeoutMs;
  throw invalidRequest(
    "timeoutMs",
    `${String(timeoutMs)} is no deadline; give milliseconds from 0, or Infinity for none`,
  );
}
