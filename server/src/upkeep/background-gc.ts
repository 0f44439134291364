import { runAfter } from "../async/run-after.ts";
import type { Logger } from "../domain/logger.ts";
import type { Store } from "../store/store.ts";
import { collectGarbage } from "./gc.ts";
import type { GcPolicy } from "./gc-plan.ts";

/**
 * Has a store's garbage collected about every `everyMs`, until the returned function is called. Many
 * daemons may do so: each waits for a random part of that time first, and finds little left.
 */
export function startBackgroundGc(
  store: Store,
  policy: GcPolicy,
  everyMs: number,
  logger: Logger,
): () => void {
  if (everyMs === 0) return () => {};
  const stopped = new AbortController();
  let callOff: () => void;
  const next = (ms: number) => {
    callOff = runAfter(ms, async () => {
      await run(store, policy, logger, stopped.signal);
      if (!stopped.signal.aborted) next(everyMs * (0.9 + 0.2 * Math.random()));
    });
  };
  next(everyMs * Math.random());
  return () => {
    callOff();
    stopped.abort(new Error("the daemon stops"));
  };
}

async function run(store: Store, policy: GcPolicy, logger: Logger, signal: AbortSignal) {
  let files = 0;
  let bytes = 0;
  try {
    for await (const { file, reason, result, error } of collectGarbage(
      { store },
      policy,
      { dryRun: false },
      signal,
    )) {
      if (result === "failed") logger.warn("could not remove a file", { path: file.path, error });
      if (result !== "removed") continue;
      files += 1;
      bytes += file.bytes;
      logger.info("removed a file from the store", { path: file.path, bytes: file.bytes, reason });
    }
    if (files > 0) logger.info("collected the store's garbage", { files, bytes });
  } catch (error) {
    if (!signal.aborted) logger.warn("could not collect the store's garbage", { error });
  }
}
