import type { CacheError } from "../domain/cache-error.ts";
import { toCacheError } from "../domain/cache-error.ts";
import type { StoredFile } from "../store/store.ts";
import type { UpkeepContext } from "./context.ts";
import { type GcPolicy, planGc, type Removal, youngOverBounds } from "./gc-plan.ts";
import { type SetAside, setAsideIn } from "./set-aside.ts";

/** What became of a file that was to go. */
export interface Removed extends Removal {
  /** `planned` where nothing is removed yet, `changed` where it was written or removed meanwhile. */
  readonly result: "planned" | "removed" | "changed" | "failed";
  readonly error?: CacheError;
}

/** What is looked at, and how. */
interface GcScope {
  readonly dryRun: boolean;
  readonly namespace?: string | undefined;
  /** Told what stays for its youth alone. */
  readonly onYoung?: (files: readonly StoredFile[]) => void;
  /** Told which archives are set aside, those that go now among them. */
  readonly onSetAside?: (archives: readonly SetAside[]) => void;
}

/**
 * Removes what a policy wants to go, one file at a time, each only if it is still what was listed. Any
 * number of daemons may do so at once: each file is removed by one of them. With `dryRun` it only says
 * what would go; with `namespace` it looks at nothing else. One that cannot be removed does not keep the others from it.
 */
export async function* collectGarbage(
  { store }: Pick<UpkeepContext, "store">,
  policy: GcPolicy,
  { dryRun, namespace, onYoung, onSetAside }: GcScope,
  signal: AbortSignal,
): AsyncGenerator<Removed, void> {
  const { now, files } = await store.inventory(signal);
  const own = files.filter((file) => namespace === undefined || file.namespace === namespace);
  onSetAside?.(setAsideIn({ now, files: own }));
  onYoung?.(youngOverBounds({ now, files: own }, policy));
  for (const removal of planGc({ now, files: own }, policy)) {
    signal.throwIfAborted();
    if (dryRun) {
      yield { ...removal, result: "planned" };
      continue;
    }
    try {
      const isRemoved = await store.removeFile(removal.file, signal);
      yield { ...removal, result: isRemoved ? "removed" : "changed" };
    } catch (error) {
      signal.throwIfAborted();
      yield { ...removal, result: "failed", error: toCacheError(error) };
    }
  }
}
