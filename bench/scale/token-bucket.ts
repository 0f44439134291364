/** Admits `rate` requests a second, and up to `depth` at once after a rest. */
export class TokenBucket {
  readonly #rate: number;
  readonly #depth: number;
  #tokens: number;
  #at = 0;

  constructor(rate: number, depth: number) {
    this.#rate = rate;
    this.#depth = depth;
    this.#tokens = depth;
  }

  /** Whether one more request is admitted at `now`, in seconds; time must not go backwards. */
  take(now: number): boolean {
    this.#tokens = Math.min(this.#depth, this.#tokens + (now - this.#at) * this.#rate);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
