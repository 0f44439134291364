import { CacheError, invalidField } from "../domain/cache-error.ts";
import type { AllowedPath } from "../local/allowed-dirs.ts";
import { nothing } from "../local/identity.ts";
import type { Workers } from "../workers/workers.ts";

/** A path that a caller named, and what the caller sees there: `<device>:<inode>`, empty for unsaid. */
export interface SeenPath {
  readonly field: string;
  readonly path: AllowedPath;
  readonly identity: string;
  /** Whether a directory above counts where nothing is there yet. */
  readonly orAbove?: boolean;
}

/** The identity that a request holds. Throws INVALID_REQUEST for what is none. */
export function parseIdentity(identity: string, field: string): string {
  if (/^(\d{1,20}:\d{1,20})?$/.test(identity)) return identity;
  throw invalidField(field, `${JSON.stringify(identity)} is not <device>:<inode> in decimal`);
}

/**
 * Makes sure that caller and daemon mean the same directory: in another container another one can lie
 * at the same path. Nothing is compared where the caller does not say what it sees, where it is known
 * how the two see the path (`client-path=daemon-path`), or where this daemon may not look; opening it
 * tells that better. Throws PATH_NOT_ALLOWED.
 */
export async function requireSame(
  workers: Workers,
  { field, path, identity, orAbove = false }: SeenPath,
  signal: AbortSignal,
): Promise<void> {
  if (identity === "" || path.mapped) return;
  const own = await workers.under(signal).identify({ path, orAbove });
  if (own === undefined || own === identity) return;
  const sees = (found: string) => (found === nothing ? "nothing" : `another one (${found})`);
  throw new CacheError(
    "PATH_NOT_ALLOWED",
    `${field} ${JSON.stringify(path.clientPath)} is not the same for the caller and for this daemon, ` +
      `as in two containers: the caller sees ${identity === nothing ? "nothing" : identity} there, the ` +
      `daemon ${sees(own)}. Mount one directory for both, or say how they see it ` +
      "(COMPILE_CACHE_ALLOWED_DIRS: client-path=daemon-path), or give the caller a daemon of its own",
  );
}
