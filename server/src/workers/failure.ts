import {
  CacheError,
  type FieldViolation,
  type Reason,
  toCacheError,
} from "../domain/cache-error.ts";
import { toLocalError } from "../local/tree/local-error.ts";

/**
 * A failed job's error, in parts: between threads and processes the class of an error would be lost.
 */
export interface Failure {
  readonly reason: Reason;
  readonly message: string;
  readonly cause: unknown;
  readonly violations: readonly FieldViolation[];
  readonly provesDamage: boolean;
}

/** What a thread or process sends back for a job. */
export type Answer = { readonly value: unknown } | { readonly failure: Failure };

/** The parts of whatever a job threw. */
export function toFailure(error: unknown): Failure {
  const { reason, message, cause, violations, provesDamage } = toCacheError(
    toLocalError(error, "the local directory"),
  );
  return {
    reason,
    message,
    cause: cause instanceof CacheError ? cause.message : cause,
    violations,
    provesDamage,
  };
}

/** The value of an answer. Throws the job's CacheError, or the reason of `signal` once that aborted. */
export function resultOf(answer: Answer, signal: AbortSignal): unknown {
  if (!("failure" in answer)) return answer.value;
  signal.throwIfAborted();
  throw errorOf(answer.failure);
}

/** The error again that a failure was made from. */
export function errorOf({ reason, message, ...details }: Failure): CacheError {
  return new CacheError(reason, message, details);
}
