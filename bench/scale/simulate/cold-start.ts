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
  /** From its begin to its commit, alone. */
  readonly saveS: number;
  readonly archiveBytes: number;
  /** What the store takes in all, in bytes a second. */
  readonly storeBandwidth: number;
}

export interface ColdStartResult {
  /** Archives that were packed and sent, and that nobody sees: another was first. */
  readonly inVain: number;
  /** From the first that had compiled until an archive was there. */
  readonly firstSavedS: number;
  /** Bytes that the store took in vain. */
  readonly wastedBytes: number;
}

/**
 * Each saver looks when it has compiled; who finds nothing packs and sends while it packs, slower
 * where many share the store. The first to have sent all commits; whoever looks later packs nothing.
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

/** Box and Muller. */
function standardNormal(chance: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
}
