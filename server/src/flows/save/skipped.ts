import { type LeftOutFiles, leftOutCount } from "../../domain/left-out.ts";
import type { SaveOutcome, SaveSkipReason } from "../../domain/outcome.ts";
import type { StoredCache } from "../../domain/stored-cache.ts";
import type { Progress } from "../../transfers/state.ts";

/** A flow that returns how the save ended. */
export type SaveFlow = AsyncGenerator<Progress, SaveOutcome>;

/** Nothing was saved. `cache` is what the store holds, where that is known. */
export function skipped(
  skipReason: SaveSkipReason,
  leftOut: readonly LeftOutFiles[] = [],
  cache?: StoredCache,
): SaveOutcome {
  return { kind: "SAVE", status: "SKIPPED", skipReason, ...(cache ? { cache } : {}), leftOut };
}

/** No file was packed: each was left out, or there was none. */
export function nothingPacked(leftOut: readonly LeftOutFiles[]): SaveOutcome {
  const isUnfinished = leftOutCount(leftOut, "CHANGED", "UNREADABLE") > 0;
  return skipped(isUnfinished ? "UNFINISHED" : "NO_FILES", leftOut);
}
