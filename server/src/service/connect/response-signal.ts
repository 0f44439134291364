import type { IncomingMessage, ServerResponse } from "node:http";
import { CacheError, invalidField } from "../../domain/cache-error.ts";

const timeoutHeader = "connect-timeout-ms";
/** Timers take no longer ones; these are none. */
const longestMs = 2 ** 31 - 1;

/**
 * Does the work of a call under a signal that aborts when the caller goes away or the time passes that it
 * gave. The signal's reason is a CacheError, CANCELLED or DEADLINE_EXCEEDED; work that fails after the
 * abort fails with it.
 */
export async function underResponseSignal<Result>(
  request: IncomingMessage,
  response: ServerResponse,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const { signal } = controller;
  const timeoutMs = timeoutOf(request);
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          controller.abort(new CacheError("DEADLINE_EXCEEDED", "the deadline passed"));
        }, timeoutMs);
  const gone = () => controller.abort(new CacheError("CANCELLED", "the caller went away"));
  if (response.closed) gone();
  response.once("close", gone);
  try {
    signal.throwIfAborted();
    return await work(signal);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    clearTimeout(timer);
    response.off("close", gone);
  }
}

/** How long the caller waits; undefined for no end that a timer can know. Throws INVALID_REQUEST. */
function timeoutOf({ headers }: IncomingMessage): number | undefined {
  const text = headers[timeoutHeader];
  if (text === undefined) return undefined;
  if (typeof text !== "string" || !/^\d{1,10}$/.test(text))
    throw invalidField(timeoutHeader, "is a number of milliseconds, of ten digits at most");
  return Number(text) > longestMs ? undefined : Number(text);
}
