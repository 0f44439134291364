import * as os from "node:os";
import { workerData } from "node:worker_threads";
import { move, transferableSymbol, valueSymbol } from "piscina";
import { CacheError } from "../domain/cache-error.ts";
import { type Claim, takeClaim } from "./claim.ts";
import { type Answer, toFailure } from "./failure.ts";
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

// On Linux each thread has a priority of its own, and 0 names the calling thread.
const { nice } = workerData as { nice: number };
if (nice !== 0) os.setPriority(0, nice);

export default async function work({ name, job, flag, claim }: Order): Promise<Answer> {
  try {
    if (!takeClaim(claim)) throw new CacheError("CANCELLED", "cancelled before it began");
    const run = jobs[name] as (job: unknown, checkpoint: () => void) => unknown;
    return withTransfer({ value: await run(job, checkpointOf(flag)) });
  } catch (error) {
    return { failure: toFailure(error) };
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
