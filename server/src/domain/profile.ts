import { invalidField } from "./cache-error.ts";

/** Which files of a local directory travel: globs of paths below it, `**` across folders. */
export interface Profile {
  /** At least one must match; none means all. */
  readonly include: readonly string[];
  /** None may match. */
  readonly exclude: readonly string[];
  /** Leaves out kernels that torch writes again from the FX graph entries that travel. */
  readonly withoutBundledKernels?: boolean;
}

export type Profiles = ReadonlyMap<string, Profile>;

export const defaultProfile = "full";

/**
 * Profiles that every daemon knows; docs/warm-start.md says what was measured of `full` and `lean`.
 * Locks and temporary files travel with none of them.
 */
export const builtInProfiles: Profiles = new Map([
  ["full", { include: [], exclude: [] }],
  ["lean", { include: [], exclude: [], withoutBundledKernels: true }],
  // What vLLM keeps beside its compile cache and makes or fetches again when it starts.
  [
    "vllm",
    {
      include: [],
      exclude: [
        "**/assets/**",
        "**/modelinfos/**",
        "**/startup_plan/**",
        "**/gpu_p2p_access_cache_for_*",
      ],
    },
  ],
]);

/** The profile that a request names; empty means `full`. Throws INVALID_REQUEST. */
export function findProfile(profiles: Profiles, name: string): Profile {
  const profile = profiles.get(name || defaultProfile);
  if (profile) return profile;
  const known = [...profiles.keys()].join(", ");
  throw invalidField("profile", `${JSON.stringify(name)} is not a profile; known are: ${known}`);
}
