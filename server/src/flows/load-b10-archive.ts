import { hostname } from "node:os";
import { b10ArchiveNames } from "../domain/b10-archive.ts";
import { CacheError } from "../domain/cache-error.ts";
import type { LoadOutcome } from "../domain/outcome.ts";
import type { ArchiveReader } from "../store/store.ts";
import type { Progress } from "../transfers/state.ts";
import type { CacheTarget } from "./cache-target.ts";
import type { FlowContext } from "./context.ts";

/** What came of looking for an archive of b10-transfer: a load, or words for people, perhaps none. */
type Found = { readonly outcome: LoadOutcome } | { readonly note: string };

/**
 * Loads the archive that b10-transfer would load for a cache that the store does not hold. One that
 * cannot be loaded is no error, and stays as it is: its user compiles, and saves a cache of ours.
 */
export async function* loadB10Archive(
  { b10Archives, logger }: Pick<FlowContext, "b10Archives" | "logger">,
  { namespace, environment }: CacheTarget,
  signal: AbortSignal,
  loadFrom: (reader: ArchiveReader) => AsyncGenerator<Progress, LoadOutcome>,
): AsyncGenerator<Progress, Found> {
  const wanted = b10ArchiveNames(environment, hostname());
  if (!b10Archives || !wanted) return { note: "" };
  const { directory, isNamed } = b10Archives;
  let filename: string | undefined;
  try {
    const there = await b10Archives.list(signal);
    filename = wanted.names.find((name) => there.includes(name));
    if (filename === undefined) return { note: othersText(there.length, directory) };
    if (wanted.untold && !isNamed) return { note: untoldText(filename, directory, wanted.untold) };
    await using reader = await b10Archives.open({ namespace, filename }, signal);
    if (!reader) return { note: "" };
    const outcome = yield* loadFrom(reader);
    logger.info("loaded an archive of b10-transfer", { namespace, directory, filename });
    return { outcome };
  } catch (error) {
    if (!(error instanceof CacheError) || !isOfTheArchive(error)) throw error;
    logger.warn("passed over what b10-transfer saved", { directory, filename, error });
    yield { phase: "CHECKING", bytesDone: 0, bytesTotal: 0, filesDone: 0, filesTotal: 0 };
    const what = filename ? `b10-transfer's ${filename}, in ${directory},` : directory;
    return { note: `${what} was not loaded, and is left as it is: ${error.message}` };
  }
}

/** Whether a load failed for what the archive is, or for where it lies, rather than for this machine. */
function isOfTheArchive({ reason }: CacheError): boolean {
  return (
    reason.startsWith("ARCHIVE_") || reason === "CACHE_TOO_LARGE" || reason === "STORE_UNAVAILABLE"
  );
}

function othersText(count: number, directory: string): string {
  if (count === 0) return "";
  const archives = count === 1 ? "1 archive" : `${count} archives`;
  return `${archives} of b10-transfer, for machines of another kind, in ${directory}`;
}

function untoldText(filename: string, directory: string, untold: string): string {
  return (
    `b10-transfer's ${filename}, in ${directory}, does not tell ${untold}; ` +
    `COMPILE_CACHE_B10_ARCHIVES=${directory} loads it nevertheless`
  );
}
