import type {
  Cache,
  ClosestCache as WireClosestCache,
} from "compilecache-client/gen/compilecache/v1/cache.ts";
import {
  LeftOutReason,
  LoadStatus,
  SaveSkipReason,
  SaveStatus,
  type Transfer,
  TransferKind,
  TransferPhase,
  TransferStatus,
  type LeftOutFiles as WireLeftOutFiles,
} from "compilecache-client/gen/compilecache/v1/transfer.ts";
import { type LeftOutFiles, leftOutCount } from "../domain/left-out.ts";
import type { LoadOutcome, Outcome, SaveOutcome } from "../domain/outcome.ts";
import type { ClosestCache, StoredCache } from "../domain/stored-cache.ts";
import type { TransferState } from "../transfers/state.ts";
import { toStatus } from "./status.ts";

/** A stored cache, marked as current when its key is `currentKey`. */
export function toWireCache(cache: StoredCache, currentKey: string | undefined): Cache {
  return {
    namespace: cache.namespace,
    cacheKey: cache.cacheKey,
    environment: cache.environment && {
      ...cache.environment,
      extra: { ...cache.environment.extra },
    },
    filename: cache.filename,
    archiveBytes: BigInt(cache.archiveBytes),
    contentBytes: BigInt(cache.contentBytes),
    fileCount: BigInt(cache.fileCount),
    createdAt: cache.createdAt,
    isCurrentEnvironment: cache.cacheKey === currentKey,
    generation: BigInt(cache.generation),
    signedBy: cache.signedBy ?? "",
    saver: cache.origin?.saver ?? "",
    revision: cache.origin?.revision ?? "",
  };
}

function toWireClosest(closest: ClosestCache, currentKey: string): WireClosestCache {
  return { cache: toWireCache(closest.cache, currentKey), differing: [...closest.differing] };
}

/** The outcome of a load, for its response and its transfer. */
export function toWireLoadOutcome(outcome: LoadOutcome, currentKey: string) {
  return {
    status: LoadStatus[`LOAD_STATUS_${outcome.status}`],
    closest: outcome.closest && toWireClosest(outcome.closest, currentKey),
    cache: outcome.cache && toWireCache(outcome.cache, currentKey),
    note: outcome.note ?? "",
    otherNamespaces: [...(outcome.otherNamespaces ?? [])],
  };
}

/** The outcome of a save, for its response and its transfer. */
export function toWireSaveOutcome(outcome: SaveOutcome, currentKey: string) {
  return {
    status: SaveStatus[`SAVE_STATUS_${outcome.status}`],
    cache: outcome.cache && toWireCache(outcome.cache, currentKey),
    leftOutFileCount: BigInt(leftOutCount(outcome.leftOut, "CHANGED")),
    leftOut: outcome.leftOut.map(toWireLeftOut),
    skipReason: SaveSkipReason[`SAVE_SKIP_REASON_${outcome.skipReason ?? "UNSPECIFIED"}`],
  };
}

function toWireLeftOut({ reason, fileCount, examples }: LeftOutFiles): WireLeftOutFiles {
  return {
    reason: LeftOutReason[`LEFT_OUT_REASON_${reason}`],
    fileCount: BigInt(fileCount),
    examples: [...examples],
  };
}

function toWireOutcome(outcome: Outcome, currentKey: string): NonNullable<Transfer["outcome"]> {
  return outcome.kind === "LOAD"
    ? { $case: "load", value: toWireLoadOutcome(outcome, currentKey) }
    : { $case: "save", value: toWireSaveOutcome(outcome, currentKey) };
}

/** A state, with its error and its outcome in the form that a response would have. */
export function toWireTransfer(state: TransferState): Transfer {
  return {
    operationId: state.operationId,
    operationName: state.operationName,
    kind: TransferKind[`TRANSFER_KIND_${state.kind}`],
    status: TransferStatus[`TRANSFER_STATUS_${state.status}`],
    phase: TransferPhase[`TRANSFER_PHASE_${state.phase}`],
    namespace: state.namespace,
    cacheKey: state.cacheKey,
    startedAt: state.startedAt,
    completedAt: state.completedAt,
    bytesDone: BigInt(state.bytesDone),
    bytesTotal: BigInt(state.bytesTotal),
    filesDone: BigInt(state.filesDone),
    filesTotal: BigInt(state.filesTotal),
    error: state.error && toStatus(state.error),
    outcome: state.outcome && toWireOutcome(state.outcome, state.cacheKey),
  };
}
