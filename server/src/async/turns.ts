/** Lets work begin piece by piece, and other events in between. */
export interface Turns {
  /** Begins `work` when it is the turn of `owner`: owners take turns, and begin one piece at each. */
  take(owner: object, work: () => void): void;
}

/** Makes turns of which there is one in each round of the event loop. */
export function createTurns(): Turns {
  const waiting = new Map<object, (() => void)[]>();
  const step = () => {
    const [first] = waiting;
    if (!first) return;
    const [owner, works] = first;
    const work = works.shift();
    waiting.delete(owner);
    if (works.length > 0) waiting.set(owner, works);
    if (waiting.size > 0) setImmediate(step);
    work?.();
  };
  return {
    take(owner, work) {
      const works = waiting.get(owner);
      if (works) works.push(work);
      else waiting.set(owner, [work]);
      if (!works && waiting.size === 1) setImmediate(step);
    },
  };
}
