import type { ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { CacheError } from "../domain/cache-error.ts";

// The caller counts its deadline from when it sent the request, which is a little before it came.
const clockSlackMs = 100;

/**
 * Does the work of a call under a signal that aborts when the caller goes away or its deadline
 * passes. The signal's reason is a CacheError, CANCELLED or DEADLINE_EXCEEDED; work that fails after
 * the abort fails with it.
 */
export async function underCallSignal<Request, Response, Result>(
  call: ServerUnaryCall<Request, Response> | ServerWritableStream<Request, Response>,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const { signal } = controller;
  const abort = () => {
    const late = Date.now() >= Number(call.getDeadline()) - clockSlackMs;
    controller.abort(
      late
        ? new CacheError("DEADLINE_EXCEEDED", "the deadline passed")
        : new CacheError("CANCELLED", "the caller went away"),
    );
  };
  if (call.cancelled) abort();
  call.once("cancelled", abort);
  try {
    signal.throwIfAborted();
    return await work(signal);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    // grpc-js also emits it for calls that were answered.
    call.removeListener("cancelled", abort);
  }
}
