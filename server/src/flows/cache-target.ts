import type { CacheId } from "../domain/cache-id.ts";
import type { NamedEnvironment } from "../domain/environment.ts";
import type { AllowedPath } from "../local/allowed-dirs.ts";

/** Which cache, and where it is on this machine, of a request that was found to be sound. */
export interface CacheTarget extends NamedEnvironment, CacheId {
  readonly localDir: AllowedPath;
}
