import * as os from "node:os";
import { workerData } from "node:worker_threads";
import { move, transferableSymbol, valueSymbol } from "piscina";
import {
  CacheError,
  type FieldViolation,
  type Reason,
  toCacheError,
} from "../domain/cache-error.ts";
import { toLocalError } from "../local/tree/local-error.ts";
import { type Claim, takeClaim } from "./claim.ts";
import { type CancelFlag, checkpointOf, type Jobs, jobs } from "./jobs.ts";

/**
 * What a thread is sent: the job, the flag that stops it, and the claim that shows whether it was
 * cancelled.
 */
export interface Order {
  readonly name: keyof Jobs;
  readonly job: unknown;
  readonly flag: CancelFlag;
  readonly claim: Claim;
}

/**
 * What a thread sends back. The class of an error would be lost between threads, so its parts are sent.
 */
export type Answer = { readonly value: unknown } | { readonly failure: Failure };

interface Failure {
  readonly reason: Reason;
  readonly message: string;
  readonly cause: unknown;
  readonly violations: readonly FieldViolation[];
  readonly provesDamage: boolean;
}

// On Linux each thread has a priority of its own, and 0 names the calling thread.
const { nice } = workerData as { nice: number };
if (nice !== 0) os.setPriority(0, nice);

export default async function work({ name, job, flag, claim }: Order): Promise<Answer> {
  try {
    if (!takeClaim(claim)) throw new CacheError("CANCELLED", "cancelled before it began");
    const run = jobs[name] as (job: unknown, checkpoint: () => void) => unknown;
    return withTransfer({ value: await run(job, checkpointOf(flag)) });
  } catch (error) {
    const { reason, message, cause, violations, provesDamage } = toCacheError(
      toLocalError(error, "the local directory"),
    );
    return {
      failure: {
        reason,
        message,
        cause: cause instanceof CacheError ? cause.message : cause,
        violations,
        provesDamage,
      },
    };
  }
}

/** Marks an answer so that the frame in it moves to the other thread instead of being copied. */
function withTransfer(answer: { value: unknown }): Answer {
  const frame = (answer.value as { frame?: Uint8Array } | undefined)?.frame;
  if (!frame) return answer;
  return move({
    [transferableSymbol]: [frame.buffer],
    [valueSymbol]: answer,
  } as never) as unknown as Answer;
}
