import type { ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { CacheError } from "../domain/cache-error.ts";

// A caller gives up at its own deadline; ours began when its request came, a little later.
const clockSlackMs = 100;

/**
 * Does the work of a call under a signal that aborts when the caller goes away or its deadline
 * passes, with CANCELLED or DEADLINE_EXCEEDED as its reason, which is then also what the work is
 * taken to fail with.
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
    // An answered call is told as cancelled, too.
    call.removeListener("cancelled", abort);
  }
}
