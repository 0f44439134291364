import { orAborted } from "../../../async/or-aborted.ts";
import type { Logger } from "../../../domain/logger.ts";
import type { CommitMode } from "../../store.ts";
import type { S3Context } from "../calls/context.ts";
import { toS3Error } from "../calls/error.ts";
import { probeConditions, type Verdict } from "./probe.ts";

/** Whether the store's server keeps to the conditions of commits. */
export interface Conditions {
  /**
   * Whether the server keeps to the condition of such a commit; false where that is not known. Waits
   * for the probe.
   */
  hold(mode: CommitMode, signal: AbortSignal | undefined): Promise<boolean>;
  /** What is known, in a few words for people. */
  describe(): string;
}

/**
 * Probes the store's server in the background, now and, if that failed, when it is next needed: a
 * server that ignores conditions does not say so.
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
  // Who may only read commits nothing.
  if (!context.isAnonymous) known();
  return {
    async hold(mode, signal) {
      await orAborted(known() ?? Promise.resolve(), signal);
      if (mode === "create") return verdict?.create ?? false;
      return mode === "replace" || (verdict?.replace ?? false);
    },
    describe() {
      if (context.isAnonymous) return "read without credentials";
      if (!verdict) return "not known yet whether it keeps to conditions";
      return isKept(verdict) ? "keeps to conditions" : "ignores conditions: the last writer wins";
    },
  };
}

function isKept({ create, replace }: Verdict): boolean {
  return create && replace;
}
