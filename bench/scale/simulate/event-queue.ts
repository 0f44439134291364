/** Events by time: the earliest comes out first; the order of simultaneous ones is undefined. */
export class EventQueue<T> {
  readonly #heap: { at: number; item: T }[] = [];

  /** When the next one happens; Infinity if there is none. */
  get nextAt(): number {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** The next one; undefined if there is none. */
  get first(): T | undefined {
    return this.#heap[0]?.item;
  }

  push(at: number, item: T): void {
    const heap = this.#heap;
    const added = { at, item };
    let place = heap.push(added) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above] as typeof added;
      if (parent.at <= at) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = added;
  }

  /** Takes the next one out. Throws if there is none. */
  pop(): T {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (!first || !last) throw new Error("the queue is empty");
    if (heap.length > 0) {
      let place = 0;
      for (;;) {
        let below = 2 * place + 1;
        const [left, right] = [heap[below], heap[below + 1]];
        if (!left) break;
        if (right && right.at < left.at) below += 1;
        const child = heap[below] as typeof last;
        if (child.at >= last.at) break;
        heap[place] = child;
        place = below;
      }
      heap[place] = last;
    }
    return first.item;
  }
}
