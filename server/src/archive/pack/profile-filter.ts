import picomatch from "picomatch";
import type { Profile } from "../../domain/profile.ts";

/** Whether a profile has a path below a local directory saved. */
export type ProfileFilter = (path: string) => boolean;

const options = { dot: true };

/**
 * Compiles a profile's globs. Without `include`, all that is not excluded is saved; names that start
 * with a dot are matched like others.
 */
export function createProfileFilter({ include, exclude }: Profile): ProfileFilter {
  const isIncluded = include.length > 0 ? picomatch([...include], options) : () => true;
  const isExcluded = exclude.length > 0 ? picomatch([...exclude], options) : () => false;
  return (path) => isIncluded(path) && !isExcluded(path);
}
