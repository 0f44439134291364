/**
 * Whether a job is still free (0) or taken (1): by the thread that runs it, or by the caller that
 * cancels it.
 */
export type Claim = Int32Array<SharedArrayBuffer>;

export function createClaim(): Claim {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** Takes a job; returns false if it was taken before. */
export function takeClaim(claim: Claim): boolean {
  return Atomics.exchange(claim, 0, 1) === 0;
}
