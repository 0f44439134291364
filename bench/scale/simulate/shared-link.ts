import { EventQueue } from "./event-queue.ts";

/** Bytes on their way. */
export interface Flow<T> {
  readonly item: T;
  readonly bytes: number;
  /** What a flow that never stopped would have moved when this one began. */
  readonly from: number;
  active: boolean;
}

/**
 * A link that flows share alike, none faster than `flowBandwidth` (processor sharing). All flows have
 * the same rate, so it is enough to follow what one that never stops would have moved: a flow is
 * through when that has grown by its bytes.
 */
export class SharedLink<T> {
  readonly #bandwidth: number;
  readonly #flowBandwidth: number;
  readonly #ends = new EventQueue<Flow<T>>();
  #active = 0;
  #moved = 0;
  #at = 0;
  #servedBytes = 0;

  /** Both in bytes a second. */
  constructor(bandwidth: number, flowBandwidth: number) {
    this.#bandwidth = bandwidth;
    this.#flowBandwidth = flowBandwidth;
  }

  /** All that it has moved, of flows that were stopped too. */
  get servedBytes(): number {
    return this.#servedBytes;
  }

  start(now: number, bytes: number, item: T): Flow<T> {
    this.#advance(now);
    const flow = { item, bytes, from: this.#moved, active: true };
    this.#ends.push(this.#moved + bytes, flow);
    this.#active += 1;
    return flow;
  }

  /** Gives a flow up. */
  stop(now: number, flow: Flow<T>): void {
    if (!flow.active) return;
    this.#advance(now);
    flow.active = false;
    this.#active -= 1;
    this.#servedBytes += this.#moved - flow.from;
  }

  /** When the next flow is through, unless flows begin or stop before; Infinity if there is none. */
  nextAt(): number {
    if (this.#active === 0) return Number.POSITIVE_INFINITY;
    this.#skipStopped();
    return this.#at + Math.max(0, this.#ends.nextAt - this.#moved) / this.#rate();
  }

  /** Ends the flow that is through at `nextAt()`. */
  finish(): T {
    this.#advance(this.nextAt());
    const flow = this.#ends.pop();
    flow.active = false;
    this.#active -= 1;
    this.#servedBytes += flow.bytes;
    return flow.item;
  }

  #rate(): number {
    return Math.min(this.#flowBandwidth, this.#bandwidth / this.#active);
  }

  #advance(now: number): void {
    if (this.#active > 0) this.#moved += (now - this.#at) * this.#rate();
    this.#at = now;
  }

  #skipStopped(): void {
    while (!this.#ends.first?.active) this.#ends.pop();
  }
}
