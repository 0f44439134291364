import {
  type LeftOutFiles as LeftOutMessage,
  LeftOutReason as LeftOutReasonEnum,
  LoadStatus as LoadStatusEnum,
  SaveSkipReason as SaveSkipReasonEnum,
  SaveStatus as SaveStatusEnum,
  TransferKind as TransferKindEnum,
  type Transfer as TransferMessage,
  TransferPhase as TransferPhaseEnum,
  TransferStatus as TransferStatusEnum,
} from "../gen/compilecache/v1/transfer.ts";
import { type Cache, type ClosestCache, optionalCache, optionalClosest } from "./cache.ts";
import { CacheServiceError, errorFromStatus } from "./cache-service-error.ts";
import { createEnumWords } from "./enum-words.ts";

const kinds = createEnumWords(TransferKindEnum, "TRANSFER_KIND");
const statuses = createEnumWords(TransferStatusEnum, "TRANSFER_STATUS");
const phases = createEnumWords(TransferPhaseEnum, "TRANSFER_PHASE");
export const loadStatuses = createEnumWords(LoadStatusEnum, "LOAD_STATUS");
export const saveStatuses = createEnumWords(SaveStatusEnum, "SAVE_STATUS");
const leftOutReasons = createEnumWords(LeftOutReasonEnum, "LEFT_OUT_REASON");
const saveSkipReasons = createEnumWords(SaveSkipReasonEnum, "SAVE_SKIP_REASON");

export type TransferKind = ReturnType<typeof kinds.wordOf>;
/** "success", "error", "interrupted" and "cancelled" are final. */
export type TransferStatus = ReturnType<typeof statuses.wordOf>;
/** What a transfer is doing, for people to read. Programs should go by the status. */
export type TransferPhase = ReturnType<typeof phases.wordOf>;
export type LoadStatus = ReturnType<typeof loadStatuses.wordOf>;
export type SaveStatus = ReturnType<typeof saveStatuses.wordOf>;
/**
 * Why a save was skipped: the store holds the cache ("already_stored"), the directory holds no file
 * that travels ("no_files") or is marked as not loaded ("not_loaded"), a refresh found too little
 * that is new ("too_little_new") or the directory over a limit ("too_large"), or all files to save
 * changed, could not be read or were still being written ("unfinished").
 */
export type SaveSkipReason = ReturnType<typeof saveSkipReasons.wordOf>;

/**
 * Why a save left files out: links ("link"), what cannot be read ("unreadable"), locks and temporary
 * files, which is the normal case ("temporary"), names that an archive cannot hold ("name"), files that
 * changed, vanished or were still being written ("changed"), and sockets, pipes and devices
 * ("special").
 */
export type LeftOutReason = ReturnType<typeof leftOutReasons.wordOf>;

/** What a save left out for one reason. */
export interface LeftOutFiles {
  readonly reason: LeftOutReason;
  /** A directory that cannot be listed counts as one file. */
  readonly fileCount: number;
  /** Up to three paths below the local directory; what is not printable text is escaped. */
  readonly examples: readonly string[];
}

/** The outcome of a finished load. */
export interface LoadOutcome {
  readonly kind: "load";
  readonly status: LoadStatus;
  /** With "does_not_exist": the stored cache that comes closest, where there is one. */
  readonly closest?: ClosestCache;
  /** With "success": the cache that was loaded. */
  readonly cache?: Cache;
  /** With "does_not_exist": what else was found, and why it was not loaded, in words; may be absent. */
  readonly note?: string;
  /** With "does_not_exist" and no `closest`: up to four namespaces that hold a cache of this environment. */
  readonly otherNamespaces: readonly string[];
}

/** The outcome of a finished save. */
export interface SaveOutcome {
  readonly kind: "save";
  readonly status: SaveStatus;
  /** With "skipped": why, where the daemon says so. */
  readonly skipReason?: SaveSkipReason;
  /** The cache that the store now holds. */
  readonly cache?: Cache;
  /** Files left out because they changed, vanished or were still being written. */
  readonly leftOutFileCount: number;
  /** All that was left out, by reason; a reason without files is absent. */
  readonly leftOut: readonly LeftOutFiles[];
}

/** One state of a running or finished load, save or copy. */
export interface Transfer {
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
  /** Absent while it runs. */
  readonly completedAt?: Date;
  readonly bytesDone: number;
  /** 0 while that is not known. */
  readonly bytesTotal: number;
  readonly filesDone: number;
  /** 0 while that is not known. */
  readonly filesTotal: number;
  /** Why it ended in "error", "interrupted" or "cancelled". */
  readonly error?: CacheServiceError;
  /** Absent while it runs, and for copies. */
  readonly outcome?: LoadOutcome | SaveOutcome;
}

/**
 * A response's transfer, which the service always sends.
 * @internal
 */
export function fromTransferMessage(message: TransferMessage | undefined): Transfer {
  if (!message)
    throw new CacheServiceError({
      code: "INTERNAL",
      message: "the daemon's answer holds no transfer",
    });
  return {
    operationId: message.operationId,
    operationName: message.operationName,
    kind: kinds.wordOf(message.kind),
    status: statuses.wordOf(message.status),
    phase: phases.wordOf(message.phase),
    namespace: message.namespace,
    cacheKey: message.cacheKey,
    startedAt: message.startedAt ?? new Date(0),
    ...(message.completedAt && { completedAt: message.completedAt }),
    bytesDone: Number(message.bytesDone),
    bytesTotal: Number(message.bytesTotal),
    filesDone: Number(message.filesDone),
    filesTotal: Number(message.filesTotal),
    ...(message.error && { error: errorFromStatus(message.error) }),
    ...(message.outcome && { outcome: fromOutcome(message.outcome) }),
  };
}

/**
 * Members for an object that may say why a save was skipped.
 * @internal
 */
export function optionalSkipReason(value: SaveSkipReasonEnum): { skipReason?: SaveSkipReason } {
  if (value === SaveSkipReasonEnum.SAVE_SKIP_REASON_UNSPECIFIED) return {};
  return { skipReason: saveSkipReasons.wordOf(value) };
}

/**
 * What a save left out, in words and numbers.
 * @internal
 */
export function fromLeftOut(leftOut: readonly LeftOutMessage[]): LeftOutFiles[] {
  return leftOut.map(({ reason, fileCount, examples }) => ({
    reason: leftOutReasons.wordOf(reason),
    fileCount: Number(fileCount),
    examples: [...examples],
  }));
}

function fromOutcome(outcome: NonNullable<TransferMessage["outcome"]>): LoadOutcome | SaveOutcome {
  if (outcome.$case === "load") {
    const { status, closest, cache, note, otherNamespaces } = outcome.value;
    return {
      kind: "load",
      status: loadStatuses.wordOf(status),
      ...optionalClosest(closest),
      ...optionalCache(cache),
      ...(note && { note }),
      otherNamespaces: [...otherNamespaces],
    };
  }
  const { status, cache, leftOutFileCount, leftOut, skipReason } = outcome.value;
  return {
    kind: "save",
    status: saveStatuses.wordOf(status),
    ...optionalSkipReason(skipReason),
    ...optionalCache(cache),
    leftOutFileCount: Number(leftOutFileCount),
    leftOut: fromLeftOut(leftOut),
  };
}
