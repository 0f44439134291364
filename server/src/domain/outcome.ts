import type { LeftOutFiles } from "./left-out.ts";
import type { ClosestCache, StoredCache } from "./stored-cache.ts";

/** How a load ended. */
export interface LoadOutcome {
  readonly kind: "LOAD";
  readonly status: "SUCCESS" | "ERROR" | "DOES_NOT_EXIST" | "SKIPPED";
  readonly closest?: ClosestCache;
  readonly cache?: StoredCache;
  /** With DOES_NOT_EXIST, what else was found, and why it was not loaded, in words. */
  readonly note?: string;
  /** With DOES_NOT_EXIST and no closest one, some namespaces that hold a cache of this environment. */
  readonly otherNamespaces?: readonly string[];
}

/** Why a save was skipped; the contract explains each. */
export type SaveSkipReason =
  | "ALREADY_STORED"
  | "NO_FILES"
  | "NOT_LOADED"
  | "TOO_LITTLE_NEW"
  | "TOO_LARGE"
  | "UNFINISHED";

/** How a save ended. */
export interface SaveOutcome {
  readonly kind: "SAVE";
  readonly status: "SUCCESS" | "ERROR" | "SKIPPED";
  /** With SKIPPED, and only then. */
  readonly skipReason?: SaveSkipReason;
  readonly cache?: StoredCache;
  /** What stayed out of the archive, or would have, by reason. */
  readonly leftOut: readonly LeftOutFiles[];
}

export type Outcome = LoadOutcome | SaveOutcome;
