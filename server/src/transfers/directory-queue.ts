/** Gives each directory to one piece of work at a time; a directory and what lies below it are one. */
export interface DirectoryQueue {
  /**
   * Runs `body` once nothing that came before holds or awaits an overlapping directory. Paths are
   * canonical and absolute. Throws the signal's reason if it aborts before that; once begun, `body`
   * sees to the signal itself.
   */
  run<T>(paths: readonly string[], signal: AbortSignal, body: () => Promise<T>): Promise<T>;
}

interface Place {
  /** With a slash at the end, so that what lies below a directory is what starts with it. */
  readonly prefixes: readonly string[];
  /** Present until it is this place's turn. */
  start?: () => void;
}

/** Makes an empty queue. First come, first served among those that overlap. */
export function createDirectoryQueue(): DirectoryQueue {
  /** Who works or waits, in the order of coming. */
  const places: Place[] = [];

  const isFirst = (place: Place) => {
    for (const earlier of places) {
      if (earlier === place) return true;
      if (overlap(earlier, place)) return false;
    }
    return true;
  };

  const turnOf = (place: Place, signal: AbortSignal) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal.reason);
    place.start = () => {
      delete place.start;
      signal.removeEventListener("abort", onAbort);
      resolve();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (isFirst(place)) place.start();
    return promise;
  };

  const leave = (place: Place) => {
    places.splice(places.indexOf(place), 1);
    for (const next of places)
      if (next.start && overlap(place, next) && isFirst(next)) next.start();
  };

  return {
    async run(paths, signal, body) {
      signal.throwIfAborted();
      const place: Place = { prefixes: paths.map((path) => (path === "/" ? path : `${path}/`)) };
      places.push(place);
      try {
        await turnOf(place, signal);
        return await body();
      } finally {
        leave(place);
      }
    },
  };
}

function overlap({ prefixes: some }: Place, { prefixes: others }: Place): boolean {
  for (const a of some) for (const b of others) if (a.startsWith(b) || b.startsWith(a)) return true;
  return false;
}
