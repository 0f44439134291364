import { backOff } from "../async/back-off.ts";
import { CacheError } from "../domain/cache-error.ts";
import type { CacheId } from "../domain/cache-id.ts";
import { type ArchiveReader, ArchiveReplaced } from "../store/store.ts";
import type { Progress } from "../transfers/state.ts";
import type { FlowContext } from "./context.ts";
import { openStored } from "./stored-archives.ts";

/** How often an archive is opened, each time another one, until the store is given up. */
const mostTries = 20;

/**
 * Runs `use` with the archive of a cache, open; with undefined if there is none. Runs it again, through
 * a fresh handle and after a pause, when the archive was replaced meanwhile or proved damaged. One that
 * proves damaged twice is set aside, so that the next save heals the store, and its error is thrown; an
 * archive that is refused for any other reason stays where it is. Errors about an archive name it.
 */
export async function* withStored<Result>(
  context: FlowContext,
  id: CacheId,
  signal: AbortSignal,
  use: (reader: ArchiveReader | undefined) => AsyncGenerator<Progress, Result>,
): AsyncGenerator<Progress, Result> {
  const failures = new Map<string, CacheError>();
  for (let tries = 1; ; tries++) {
    if (tries > 1) await backOff(tries - 1, signal);
    await using reader = await openStored(context.store, id, signal);
    try {
      return yield* use(reader);
    } catch (error) {
      if (!reader || !(error instanceof CacheError)) throw error;
      if (!isWorthAnotherRead(error)) throw named(reader, error, "it is left as it is");
      const earlier = failures.get(reader.version);
      failures.set(reader.version, error);
      if (error.provesDamage && earlier?.provesDamage)
        throw named(reader, error, await setAside(context, reader, error));
      if (earlier || tries === mostTries) throw named(reader, error, "it is left as it is");
      context.logger.warn("reading the archive failed; reading it once more", { error });
    }
  }
}

/** A failure that a fresh handle may cure: damage on the way, or a file that was replaced under us. */
function isWorthAnotherRead(error: CacheError): boolean {
  return error.provesDamage || error instanceof ArchiveReplaced;
}

/** Sets an archive aside that is that very version; answers in words what became of it. */
async function setAside(
  { store, logger }: FlowContext,
  { namespace, filename, version }: ArchiveReader,
  error: CacheError,
): Promise<string> {
  try {
    if (!(await store.setAside({ namespace, filename }, version)))
      return "another has taken its place meanwhile";
    logger.warn("set a damaged archive aside", { namespace, filename, error });
    return "it was set aside, and the next save stores the cache anew";
  } catch (failure) {
    logger.warn("could not set a damaged archive aside", { namespace, filename, error: failure });
    return "it could not be set aside";
  }
}

/** An error about an archive, with the archive's name and what becomes of it. */
function named(
  { namespace, filename }: ArchiveReader,
  error: CacheError,
  fate: string,
): CacheError {
  const { reason, message, provesDamage } = error;
  if (!reason.startsWith("ARCHIVE_")) return error;
  const cause = error.cause ?? error;
  return new CacheError(reason, `${namespace}/${filename}: ${message}; ${fate}`, {
    cause,
    provesDamage,
  });
}
