import picomatch from "picomatch";
import type { Profile } from "../../domain/profile.ts";

/** Whether a path below a local directory travels under a profile. */
export type ProfileFilter = (path: string) => boolean;

const options = { dot: true };

/** Compiles a profile's globs. */
export function createProfileFilter({ include, exclude }: Profile): ProfileFilter {
  const isIncluded = include.length > 0 ? picomatch([...include], options) : () => true;
  const isExcluded = exclude.length > 0 ? picomatch([...exclude], options) : () => false;
  return (path) => isIncluded(path) && !isExcluded(path);
}
