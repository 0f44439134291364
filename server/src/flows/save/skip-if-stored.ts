import { CacheError } from "../../domain/cache-error.ts";
import type { SaveOutcome } from "../../domain/outcome.ts";
import type { Progress } from "../../transfers/state.ts";
import type { FlowContext } from "../context.ts";
import { describe } from "../stored-archives.ts";
import { withStored } from "../with-stored.ts";
import type { SaveTarget } from "./attempt.ts";
import { openToSkip } from "./open-judged.ts";
import { skipped } from "./skipped.ts";

/**
 * ALREADY_STORED, if the store has an archive that is this cache as far as its two ends tell; undefined
 * if it has none, or had one that proved damaged. Throws the archive's error if the file under the
 * cache's name is something else: neither is the cache stored, nor may the file be replaced unasked.
 */
export async function* skipIfStored(
  context: FlowContext,
  target: SaveTarget,
  signal: AbortSignal,
): AsyncGenerator<Progress, SaveOutcome | undefined> {
  try {
    return yield* withStored(context, target, signal, async function* (reader) {
      yield { phase: "CHECKING" };
      if (!reader) return undefined;
      const archive = await openToSkip(context, target, reader, signal);
      return skipped("ALREADY_STORED", [], describe(reader, archive, context.trust));
    });
  } catch (error) {
    if (error instanceof CacheError && error.provesDamage) return undefined;
    throw error;
  }
}
