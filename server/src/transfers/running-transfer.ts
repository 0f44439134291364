import { orAborted } from "../async/or-aborted.ts";
import { settlesWithin } from "../async/settles-within.ts";
import { CacheError, toCacheError } from "../domain/cache-error.ts";
import type { Logger } from "../domain/logger.ts";
import type { Outcome } from "../domain/outcome.ts";
import { logFailure } from "./log-failure.ts";
import {
  type Flow,
  isFinal,
  type Progress,
  type TransferKind,
  type TransferState,
} from "./state.ts";
import type { Transfer } from "./transfer.ts";
import type { WatchScheduler } from "./watch-scheduler.ts";

/** How long a cancel waits for the work to stop. */
const cancelWaitMs = 1_000;

/** One transfer: its state, who waits for it, and the flow that it runs. */
export class RunningTransfer implements Transfer {
  readonly #abort = new AbortController();
  readonly #ended = Promise.withResolvers<TransferState>();
  readonly #listeners = new Set<() => void>();
  readonly #watching: WatchScheduler;
  readonly #logger: Logger;
  #state: TransferState;
  #waiters = 0;

  constructor(state: TransferState, watching: WatchScheduler, logger: Logger) {
    this.#state = state;
    this.#watching = watching;
    this.#logger = logger;
  }

  get state(): TransferState {
    return this.#state;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Resolves with the final state. */
  get ended(): Promise<TransferState> {
    return this.#ended.promise;
  }

  /** Calls `onChange` at each change, until what this returns is called. */
  subscribe(onChange: () => void): () => void {
    this.#listeners.add(onChange);
    return () => this.#listeners.delete(onChange);
  }

  watch(signal: AbortSignal): AsyncIterable<TransferState> {
    return this.#watching.watch(this, signal);
  }

  detach(): void {
    this.#waiters += 1;
  }

  async wait(signal?: AbortSignal): Promise<TransferState> {
    if (isFinal(this.#state)) return this.#state;
    this.#waiters += 1;
    try {
      return await orAborted(this.ended, signal);
    } finally {
      this.#waiters -= 1;
      if (this.#waiters === 0) this.stop(signal?.reason);
    }
  }

  async cancel(): Promise<TransferState> {
    this.stop(new CacheError("CANCELLED", "the transfer was cancelled"));
    await settlesWithin(this.ended, cancelWaitMs);
    return this.#state;
  }

  /** Asks the flow to stop, for a reason that its final state will show. */
  stop(reason: unknown): void {
    if (!isFinal(this.#state)) this.#abort.abort(asStopReason(reason));
  }

  /** Drives the flow to its end; never throws. */
  async run(flow: Flow): Promise<void> {
    this.#update({ status: "IN_PROGRESS", phase: "CHECKING" });
    try {
      for (;;) {
        const step = await flow.next();
        if (step.done) return this.#succeed(step.value);
        this.#update(merge(this.#state, step.value));
        // A flow stops itself at its next storage call or step; between two it is stopped here.
        if (this.signal.aborted && this.#state.phase !== "COMMITTING") {
          await flow.return(undefined);
          throw this.signal.reason;
        }
      }
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ends the transfer as failed, interrupted or cancelled. */
  fail(thrown: unknown): void {
    if (isFinal(this.#state)) return;
    const { kind } = this.#state;
    const outcome = failedOutcome(kind);
    const error = toCacheError(thrown);
    const what = kind.toLowerCase();
    if (this.signal.aborted) {
      const stop = asStopReason(this.signal.reason);
      this.#logger.info(`${what} cancelled`, { reason: stop.reason, why: stop.message });
      // Work that was told to stop throws what it was told; anything else went wrong on the way.
      if (error !== stop) logFailure(this.#logger, `${what} failed as it was cancelled`, error);
      this.#end({ status: "CANCELLED", error: stop, ...outcome });
      return;
    }
    const status = error.reason === "INSUFFICIENT_SPACE" ? "INTERRUPTED" : "ERROR";
    logFailure(this.#logger, `${what} failed`, error, { status });
    this.#end({ status, error, ...outcome });
  }

  #succeed(outcome: Outcome | undefined): void {
    const { kind, bytesDone, bytesTotal, filesDone, filesTotal } = this.#state;
    const done = {
      bytesDone: Math.max(bytesDone, bytesTotal),
      bytesTotal: Math.max(bytesDone, bytesTotal),
      filesDone: Math.max(filesDone, filesTotal),
      filesTotal: Math.max(filesDone, filesTotal),
    };
    this.#end({ status: "SUCCESS", ...done, ...(outcome ? { outcome } : {}) });
    this.#logger.info(`${kind.toLowerCase()} ${(outcome?.status ?? "SUCCESS").toLowerCase()}`, {
      ...(outcome?.kind === "SAVE" && outcome.skipReason ? { reason: outcome.skipReason } : {}),
      bytes: done.bytesDone,
      files: done.filesDone,
      ms: Date.now() - this.#state.startedAt.getTime(),
    });
  }

  #end(changes: Partial<TransferState>): void {
    this.#update({ ...changes, phase: "DONE", completedAt: new Date() });
    this.#ended.resolve(this.#state);
  }

  #update(changes: Partial<TransferState>): void {
    this.#state = { ...this.#state, ...changes };
    for (const onChange of this.#listeners) onChange();
  }
}

/** Progress as it shows: what is done never falls, and never passes a total that is known. */
function merge(state: TransferState, progress: Progress): Partial<TransferState> {
  const bytesTotal = progress.bytesTotal ?? state.bytesTotal;
  const filesTotal = progress.filesTotal ?? state.filesTotal;
  return {
    phase: progress.phase ?? state.phase,
    bytesTotal: Math.max(bytesTotal, bytesTotal === 0 ? 0 : state.bytesDone),
    filesTotal: Math.max(filesTotal, filesTotal === 0 ? 0 : state.filesDone),
    bytesDone: doneOf(state.bytesDone, progress.bytesDone, bytesTotal),
    filesDone: doneOf(state.filesDone, progress.filesDone, filesTotal),
  };
}

function doneOf(before: number, now: number | undefined, total: number): number {
  const done = Math.max(before, now ?? before);
  return total === 0 ? done : Math.max(before, Math.min(done, total));
}

function failedOutcome(kind: TransferKind): { outcome?: Outcome } {
  if (kind === "LOAD") return { outcome: { kind, status: "ERROR" } };
  if (kind === "SAVE") return { outcome: { kind, status: "ERROR", leftOut: [] } };
  return {};
}

function asStopReason(reason: unknown): CacheError {
  if (reason instanceof CacheError) return reason;
  return new CacheError("CANCELLED", "every caller that waited for the transfer has gone", {
    cause: reason,
  });
}
