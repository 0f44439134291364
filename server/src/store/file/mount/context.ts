import type { Logger } from "../../../domain/logger.ts";
import { type Abilities, probeAbilities } from "./abilities.ts";
import { type CallGate, createCallGate } from "./call-gate.ts";
import { toFileStoreError } from "./error.ts";

/** Threads that calls on the store's mount may hold at once, of the UV_THREADPOOL_SIZE there are. */
const slots = 6;
const callTimeoutMs = 30_000;

const withoutHardLinks = "has no hard links: of several savers at once the last one wins";

/** What the parts of the file store share. */
export interface FileStoreContext {
  readonly root: string;
  /** Runs a call on the store's mount as CallGate does, and throws its failure as a CacheError. */
  readonly call: CallGate["run"];
  /**
   * What the file system `device`, which holds the archive `target`, can do. What it can is asked once;
   * what it cannot, anew each time, for a failure may pass. Throws as probeAbilities does.
   */
  abilitiesAt(device: number, target: string): Promise<Abilities>;
  /** What people should know of the mount; empty if there is nothing. */
  note(): string;
}

/** Makes the context of the store at `root`. Its first lack of hard links is logged as a warning. */
export function createFileStoreContext(root: string, logger: Logger): FileStoreContext {
  const gate = createCallGate({ slots, timeoutMs: callTimeoutMs, subject: `the store ${root}` });
  const able = new Map<number, Abilities>();
  let lacksHardLinks = false;
  let warned = false;
  return {
    root,
    async call(body, options) {
      try {
        return await gate.run(async () => {
          try {
            return await body();
          } catch (error) {
            throw await toFileStoreError(error, root);
          }
        }, options);
      } catch (error) {
        options?.signal?.throwIfAborted();
        throw error;
      }
    },
    async abilitiesAt(device, target) {
      const abilities = able.get(device) ?? (await probeAbilities(target));
      if (abilities.links && abilities.replaces) able.set(device, abilities);
      lacksHardLinks = !abilities.links;
      if (lacksHardLinks && !warned) logger.warn(`the store ${withoutHardLinks}`, { store: root });
      warned ||= lacksHardLinks;
      return abilities;
    },
    note: () => (lacksHardLinks ? withoutHardLinks : ""),
  };
}
