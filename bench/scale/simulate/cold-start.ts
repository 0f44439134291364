import { createRandom } from "../../../fixtures/random.ts";
import { EventQueue } from "./event-queue.ts";
import { SharedLink } from "./shared-link.ts";

/** Savers of one key that all found nothing stored and compiled, and what a save takes. */
export interface ColdStart {
  /** One a daemon: those that share one take turns, and only the first of them packs. */
  readonly savers: number;
  readonly compileS: number;
  /** Standard deviation of the time to compile, as a share of it. */
  readonly spread: number;
  /** Seconds from its start to its commit when it has the store to itself. */
  readonly saveS: number;
  readonly archiveBytes: number;
  /** Bytes a second that the store accepts from all savers together. */
  readonly storeBandwidth: number;
}

export interface ColdStartResult {
  /** Archives that were packed and sent but never published, because another was first. */
  readonly inVain: number;
  /** Seconds from the end of the first compilation until an archive was stored. */
  readonly firstSavedS: number;
  /** Bytes of the archives that were never published. */
  readonly wastedBytes: number;
}

/**
 * Each saver asks the store for an archive when it has compiled. A saver that finds none packs, and
 * sends while it packs, more slowly when many share the store. The first that has sent all commits;
 * savers that ask later pack nothing.
 */
export function simulateColdStart(cold: ColdStart, seed = 1): ColdStartResult {
  const { savers, compileS, spread, saveS, archiveBytes, storeBandwidth } = cold;
  const random = createRandom(seed);
  const compiled = new EventQueue<"compiled">();
  let firstCompiledS = Number.POSITIVE_INFINITY;
  for (let i = 0; i < savers; i++) {
    const at = Math.max(
      0,
      compileS * (1 + spread * standardNormal(() => random.uint32() / 2 ** 32)),
    );
    firstCompiledS = Math.min(firstCompiledS, at);
    compiled.push(at, "compiled");
  }
  const link = new SharedLink<"sent">(storeBandwidth, archiveBytes / saveS);
  let packing = 0;
  while (compiled.nextAt <= link.nextAt()) {
    link.start(compiled.nextAt, archiveBytes, "sent");
    compiled.pop();
    packing += 1;
  }
  return {
    inVain: packing - 1,
    firstSavedS: link.nextAt() - firstCompiledS,
    wastedBytes: (packing - 1) * archiveBytes,
  };
}

/** A random number of the standard normal distribution (Box-Muller transform). */
function standardNormal(chance: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
}
