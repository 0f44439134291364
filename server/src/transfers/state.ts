import type { CacheError } from "../domain/cache-error.ts";
import type { Outcome } from "../domain/outcome.ts";

export type TransferKind = "LOAD" | "SAVE" | "COPY";
export type TransferStatus =
  | "NOT_STARTED"
  | "IN_PROGRESS"
  | "SUCCESS"
  | "ERROR"
  | "INTERRUPTED"
  | "CANCELLED";
export type TransferPhase =
  | "WAITING"
  | "CHECKING"
  | "PACKING"
  | "UNPACKING"
  | "COPYING"
  | "COMMITTING"
  | "DONE";

/** One state of a transfer. A change makes a new object, so each one is a snapshot. */
export interface TransferState {
  readonly operationId: string;
  readonly operationName: string;
  readonly kind: TransferKind;
  readonly status: TransferStatus;
  readonly phase: TransferPhase;
  /** Empty for a copy. */
  readonly namespace: string;
  /** Empty for a copy. */
  readonly cacheKey: string;
  readonly startedAt: Date;
  readonly completedAt?: Date;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly error?: CacheError;
  readonly outcome?: Outcome;
}

/** What a flow reports while it runs. Absent members stay as they were. */
export interface Progress {
  readonly phase?: TransferPhase;
  readonly bytesDone?: number;
  readonly bytesTotal?: number;
  readonly filesDone?: number;
  readonly filesTotal?: number;
}

/** A load, save or copy as it runs: yields progress, returns its outcome, throws CacheErrors. */
export type Flow = AsyncGenerator<Progress, Outcome | undefined, void>;

export function isFinal(state: TransferState): boolean {
  return state.status !== "NOT_STARTED" && state.status !== "IN_PROGRESS";
}
