import type { SaveOutcome, SaveSkipReason } from "../../domain/outcome.ts";
import type { StoredCache } from "../../domain/stored-cache.ts";
import type { Progress } from "../../transfers/state.ts";

/** A flow that returns how the save ended. */
export type SaveFlow = AsyncGenerator<Progress, SaveOutcome>;

/** Nothing was saved. `cache` is what the store holds, where that is known. */
export function skipped(
  skipReason: SaveSkipReason,
  leftOutFileCount = 0,
  cache?: StoredCache,
): SaveOutcome {
  return {
    kind: "SAVE",
    status: "SKIPPED",
    skipReason,
    ...(cache ? { cache } : {}),
    leftOutFileCount,
  };
}

/** No file was packed: each was left out, or there was none. */
export function nothingPacked(leftOutFileCount: number): SaveOutcome {
  return skipped(leftOutFileCount > 0 ? "UNFINISHED" : "NO_FILES", leftOutFileCount);
}
