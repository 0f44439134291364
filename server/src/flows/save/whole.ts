import { pack } from "../../archive/pack/pack.ts";
import { bytesOf } from "../../archive/pack/scan.ts";
import { requireWithin } from "../../domain/limits.ts";
import type { SaveOutcome } from "../../domain/outcome.ts";
import { pathsOf } from "../../domain/root-paths.ts";
import type { Progress } from "../../transfers/state.ts";
import { rootPathsOf } from "../cache-target.ts";
import type { FlowContext } from "../context.ts";
import type { SaveAttempt, SaveTarget } from "./attempt.ts";
import { createNewArchive } from "./new-archive.ts";
import { scanToSave } from "./scan-when-settled.ts";
import { nothingPacked } from "./skipped.ts";

/** Saves the directory whole; undefined if the attempt's mode forbade the commit. */
export async function* saveWhole(
  context: FlowContext,
  target: SaveTarget,
  attempt: SaveAttempt,
  signal: AbortSignal,
): AsyncGenerator<Progress, SaveOutcome | undefined> {
  const { limits, archiveFormat: format } = context;
  const { rootFd, workers, unstable } = attempt;
  const { profile } = target;
  const scan = await scanToSave(context, attempt, profile, signal);
  const fileCount = scan.fileCount + scan.young.length;
  requireWithin(limits, "maxFileCount", fileCount, "the directory holds");
  const bytes = scan.bytes + bytesOf(scan.young);
  requireWithin(limits, "maxContentBytes", bytes, "the directory holds");
  await using archive = await createNewArchive(context, target, scan.bytes, signal);
  yield { phase: "PACKING", bytesTotal: scan.bytes, filesTotal: scan.fileCount };
  const packed = yield* pack({
    rootFd,
    rootPaths: pathsOf(rootPathsOf(target)),
    scan,
    unstable,
    profile,
    format,
    assembler: archive.assembler,
    work: workers.under(signal),
    signal,
  });
  if (packed.fileCount === 0) return nothingPacked(packed.leftOut);
  return yield* archive.commit(attempt, packed);
}
