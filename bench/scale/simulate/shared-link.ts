import { EventQueue } from "./event-queue.ts";

/** A transfer of bytes over the link. */
export interface Flow<T> {
  readonly item: T;
  readonly bytes: number;
  /** What a flow without end had moved when this one began. */
  readonly from: number;
  active: boolean;
}

/**
 * A link that all flows share equally, none faster than `flowBandwidth` (processor sharing). All flows
 * have the same rate, so the class counts only the bytes that a flow without end would have moved: a
 * flow ends when that count has grown by its bytes.
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

  /** All bytes that it has moved, including those of flows that were stopped. */
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

  /** Stops a flow before its end. */
  stop(now: number, flow: Flow<T>): void {
    if (!flow.active) return;
    this.#advance(now);
    flow.active = false;
    this.#active -= 1;
    this.#servedBytes += this.#moved - flow.from;
  }

  /** When the next flow ends, unless flows begin or stop before; Infinity if there is none. */
  nextAt(): number {
    if (this.#active === 0) return Number.POSITIVE_INFINITY;
    this.#skipStopped();
    return this.#at + Math.max(0, this.#ends.nextAt - this.#moved) / this.#rate();
  }

  /** Ends the flow that `nextAt()` announces; returns its item. */
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
