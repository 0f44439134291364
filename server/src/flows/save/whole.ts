import { pack } from "../../archive/pack/pack.ts";
import type { ScanResult } from "../../archive/pack/scan.ts";
import { CacheError } from "../../domain/cache-error.ts";
import type { SaveOutcome } from "../../domain/outcome.ts";
import type { Progress } from "../../transfers/state.ts";
import type { FlowContext } from "../context.ts";
import { createNewArchive } from "./new-archive.ts";
import { nothingPacked } from "./outcome.ts";
import { scanToSave } from "./scan-when-settled.ts";
import type { SaveAttempt, SaveTarget } from "./target.ts";

/** Saves the directory whole; undefined if the attempt's mode forbade the commit. */
export async function* saveWhole(
  context: FlowContext,
  target: SaveTarget,
  attempt: SaveAttempt,
  signal: AbortSignal,
): AsyncGenerator<Progress, SaveOutcome | undefined> {
  const { workers, archiveFormat: format } = context;
  const { rootFd, unstable } = attempt;
  const { profile } = target;
  const scan = await scanToSave(context, { rootFd, exclude: unstable, profile }, signal);
  requireWithinLimits(context, scan);
  await using archive = await createNewArchive(context, target, scan.bytes, signal);
  yield { phase: "PACKING", bytesTotal: scan.bytes, filesTotal: scan.fileCount };
  const packed = yield* pack({
    rootFd,
    scan,
    exclude: unstable,
    profile,
    format,
    assembler: archive.assembler,
    work: workers.under(signal),
    signal,
  });
  const leftOutFileCount = packed.leftOut.length + unstable.length;
  if (packed.fileCount === 0) return nothingPacked(leftOutFileCount);
  return yield* archive.commit(attempt, { ...packed, leftOutFileCount });
}

function requireWithinLimits({ limits }: FlowContext, scan: ScanResult): void {
  const files = scan.fileCount + scan.young.length;
  if (files > limits.maxFileCount)
    throw new CacheError(
      "CACHE_TOO_LARGE",
      `the directory holds ${files} files, and at most ${limits.maxFileCount} are allowed (MAX_FILE_COUNT)`,
    );
  const bytes = scan.bytes + scan.youngBytes;
  if (bytes > limits.maxContentBytes)
    throw new CacheError(
      "CACHE_TOO_LARGE",
      `the directory holds ${bytes} bytes, and at most ${limits.maxContentBytes} are allowed (MAX_CONTENT_SIZE_MB)`,
    );
}
