import type { Unstable } from "../../archive/pack/pack.ts";
import type { Profile } from "../../domain/profile.ts";
import type { CommitMode } from "../../store/store.ts";
import type { Workers } from "../../workers/workers.ts";
import type { CacheTarget } from "../cache-target.ts";
import type { IfStoredExists } from "../policies.ts";

/** A save whose request was found to be sound. */
export interface SaveTarget extends CacheTarget {
  readonly profile: Profile;
  readonly policy: IfStoredExists;
}

/** The generation of a cache that replaces one. What is stored may claim any, even the highest. */
export function generationAfter(stored: number): number {
  return Math.min(stored + 1, Number.MAX_SAFE_INTEGER);
}

/** What a save takes. */
export interface FilesToSave {
  /** The open local directory, and who works there. */
  readonly rootFd: number;
  readonly workers: Workers;
  /** Files that an earlier try could not pack, and that are left out. */
  readonly unstable: readonly Unstable[];
}

/** One try at a save: what it packs, and which archive it may take the place of. */
export interface SaveAttempt extends FilesToSave {
  readonly mode: CommitMode;
  readonly generation: number;
}
