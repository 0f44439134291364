/** Whose a job is: nobody's yet (0), or the thread's that runs it or the caller's that gave it up. */
export type Claim = Int32Array<SharedArrayBuffer>;

export function createClaim(): Claim {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** Takes a job, if nobody has. */
export function takeClaim(claim: Claim): boolean {
  return Atomics.exchange(claim, 0, 1) === 0;
}
