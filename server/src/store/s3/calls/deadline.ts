import { orAborted } from "../../../async/or-aborted.ts";
import { CacheError } from "../../../domain/cache-error.ts";
import type { S3Context } from "./context.ts";

/** How long to wait for an attempt's answer, and for the next byte of an answer. */
export const silentMs = 7_000;

/** How long a call with little content may take, its retries included. */
export const lookMs = 15_000;

/** Options of a call of the client, as the SDK takes them. */
export interface CallOptions {
  readonly abortSignal: AbortSignal;
  /** How long an attempt waits for its answer, in milliseconds. */
  readonly requestTimeout: number;
}

/**
 * Runs one call of the client, its retries included. Throws what the client throws,
 * STORE_UNAVAILABLE after `totalMs`, or the signal's reason.
 */
export async function withDeadline<T>(
  { url }: S3Context,
  call: (options: CallOptions) => Promise<T>,
  {
    signal,
    answerMs = silentMs,
    totalMs = lookMs,
  }: { signal?: AbortSignal | undefined; answerMs?: number; totalMs?: number } = {},
): Promise<T> {
  const deadline = AbortSignal.timeout(totalMs);
  const abortSignal = signal ? AbortSignal.any([signal, deadline]) : deadline;
  signal?.throwIfAborted();
  try {
    // The client looks for credentials without regard to the signal.
    return await orAborted(call({ abortSignal, requestTimeout: answerMs }), abortSignal);
  } catch (error) {
    signal?.throwIfAborted();
    if (deadline.aborted) throw noAnswer(url, totalMs, error);
    throw error;
  }
}

/** The error for a store that did not answer. */
export function noAnswer(url: string, waitedMs: number, cause: unknown): CacheError {
  return new CacheError(
    "STORE_UNAVAILABLE",
    `the store ${url} did not answer within ${waitedMs / 1000} s`,
    { cause },
  );
}

const slowestBytesPerSecond = 128 * 1024;

/** Deadlines for a call that sends that many bytes. */
export function uploadDeadline(bytes: number): { answerMs: number; totalMs: number } {
  const answerMs = lookMs + Math.ceil((bytes / slowestBytesPerSecond) * 1000);
  return { answerMs, totalMs: answerMs + lookMs };
}
