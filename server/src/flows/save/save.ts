import { openArchive } from "../../archive/format/open-archive.ts";
import { CacheError } from "../../domain/cache-error.ts";
import type { Flow } from "../../transfers/state.ts";
import type { FlowContext } from "../context.ts";
import { isLocalThere } from "../held-directories.ts";
import { openStored } from "../stored-archives.ts";
import { generationAfter, type SaveTarget } from "./attempt.ts";
import { saveFiles } from "./files-to-save.ts";
import { skipIfStored } from "./skip-if-stored.ts";
import { skipped } from "./skipped.ts";
import { saveWhole } from "./whole.ts";

/** Local directory to store, whole: policies SKIP and REPLACE. */
export async function* save(context: FlowContext, target: SaveTarget, signal: AbortSignal): Flow {
  yield { phase: "CHECKING" };
  if (target.policy === "SKIP") {
    // Whoever mistypes its name must not read that all is well.
    if (!(await isLocalThere(context.workers, target.localDir, signal))) return skipped("NO_FILES");
    const already = yield* skipIfStored(context, target, signal);
    if (already) return already;
  }
  const mode = target.policy === "SKIP" ? "create" : "replace";
  return yield* saveFiles(context, target, signal, async function* (files) {
    const stored = mode === "create" ? 0 : await storedGeneration(context, target, signal);
    const generation = generationAfter(stored);
    const attempt = { ...files, mode, generation } as const;
    const outcome = yield* saveWhole(context, target, attempt, signal);
    if (outcome) return outcome;
    const winner = yield* skipIfStored(context, target, signal);
    return winner ?? skipped("ALREADY_STORED");
  });
}

/** The generation of the stored cache; 0 where there is none, or none that can be read. */
async function storedGeneration(
  { store, workers }: FlowContext,
  target: SaveTarget,
  signal: AbortSignal,
): Promise<number> {
  await using reader = await openStored(store, target, signal);
  if (!reader) return 0;
  try {
    const archive = await openArchive(reader, workers.under(signal), signal);
    return archive?.generation ?? 0;
  } catch (error) {
    if (error instanceof CacheError && error.reason !== "STORE_UNAVAILABLE") return 0;
    throw error;
  }
}
