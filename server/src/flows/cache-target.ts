import type { CacheId } from "../domain/cache-id.ts";
import type { NamedEnvironment } from "../domain/environment.ts";
import type { RootPaths } from "../domain/root-paths.ts";
import type { AllowedPath } from "../local/allowed-dirs.ts";

/** Which cache, and where it is on this machine, of a request that was found to be sound. */
export interface CacheTarget extends NamedEnvironment, CacheId {
  readonly localDir: AllowedPath;
}

/** A cache's name among all of a store. */
export function nameOf({ namespace, cacheKey }: CacheId): string {
  return `${namespace}/${cacheKey}`;
}

/** The paths by which files in the local directory may name it. */
export function rootPathsOf({ localDir: { clientPath, otherPath } }: CacheTarget): RootPaths {
  return { path: clientPath, ...(otherPath === undefined ? {} : { otherPath }) };
}
