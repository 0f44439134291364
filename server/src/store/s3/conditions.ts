import { orAborted } from "../../async/or-aborted.ts";
import type { Logger } from "../../domain/logger.ts";
import type { CommitMode } from "../store.ts";
import type { S3Context } from "./context.ts";
import { toS3Error } from "./error.ts";
import { probeConditions, type Verdict } from "./probe.ts";

/** What the store's server is known to make of conditions. */
export interface Conditions {
  /**
   * Whether the server keeps to the condition of such a commit; false where that is not known. Waits
   * for the probe.
   */
  hold(mode: CommitMode, signal: AbortSignal | undefined): Promise<boolean>;
  /** In words. */
  describe(): string;
}

/**
 * Probes the store's server in the background, now and, where that failed, when somebody wants to
 * know. Servers that ignore conditions do so without a word.
 */
export function createConditions(context: S3Context, logger: Logger): Conditions {
  let verdict: Verdict | undefined;
  let probing: Promise<void> | undefined;
  const probe = async () => {
    try {
      verdict = await probeConditions(context);
    } catch (error) {
      probing = undefined;
      const failure = toS3Error(error, context);
      logger.warn("could not find out which conditions the store keeps to", { error: failure });
      return;
    }
    const { create, replace } = verdict;
    const fields = { store: context.url, create, replace };
    if (isKept(verdict)) logger.info("the store keeps to conditions", fields);
    else logger.warn("the store ignores conditions: of several savers the last one wins", fields);
  };
  const known = () => {
    if (!verdict) probing ??= probe();
    return probing;
  };
  known();
  return {
    async hold(mode, signal) {
      await orAborted(known() ?? Promise.resolve(), signal);
      if (mode === "create") return verdict?.create ?? false;
      return mode === "replace" || (verdict?.replace ?? false);
    },
    describe() {
      if (!verdict) return "not known yet whether it keeps to conditions";
      return isKept(verdict) ? "keeps to conditions" : "ignores conditions: the last writer wins";
    },
  };
}

function isKept({ create, replace }: Verdict): boolean {
  return create && replace;
}
