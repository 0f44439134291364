import { CacheError } from "./cache-error.ts";

// What can be wrong with an archive. Messages are sentences that begin with "the archive".

/** A digest in the archive does not match, or it is shorter than it says itself: see provesDamage. */
export function damagedArchive(why: string, cause?: unknown): CacheError {
  return new CacheError("ARCHIVE_CORRUPT", `the archive is damaged: ${why}`, {
    ...withCause(cause),
    provesDamage: true,
  });
}

/** It makes no sense, and nothing in it proves that it was not written that way. */
export function malformedArchive(why: string, cause?: unknown): CacheError {
  return new CacheError("ARCHIVE_CORRUPT", `the archive cannot be read: ${why}`, withCause(cause));
}

/** It asks for what no archive may do, or is another cache than it should be. */
export function unsafeArchive(message: string, cause?: unknown): CacheError {
  return new CacheError("ARCHIVE_UNSAFE", message, withCause(cause));
}

/** It may be sound, and other programs or newer daemons may read it; this daemon does not. */
export function unsupportedArchive(message: string, cause?: unknown): CacheError {
  return new CacheError("ARCHIVE_UNSUPPORTED", message, withCause(cause));
}

function withCause(cause: unknown): { cause?: unknown } {
  return cause === undefined ? {} : { cause };
}
