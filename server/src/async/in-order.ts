/**
 * Maps items with at most `window` calls under way, and yields the results in the order of the
 * items. Stops taking items at the first failure, and waits for what is under way before it throws.
 */
export async function* inOrder<Item, Result>(
  items: Iterable<Item>,
  window: number,
  map: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const underWay: Promise<Result>[] = [];
  const source = items[Symbol.iterator]();
  const start = () => {
    const next = source.next();
    if (next.done) return false;
    const result = map(next.value);
    result.catch(() => {});
    underWay.push(result);
    return true;
  };
  try {
    while (underWay.length < window && start());
    while (underWay.length > 0) {
      const result = await (underWay[0] as Promise<Result>);
      underWay.shift();
      start();
      yield result;
    }
  } finally {
    await Promise.allSettled(underWay);
  }
}
