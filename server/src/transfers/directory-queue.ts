/** Gives each directory to one piece of work at a time; a directory and what lies below it are one. */
export interface DirectoryQueue {
  /**
   * Runs `body` once nothing that came before holds or awaits an overlapping directory. Paths are
   * canonical and absolute. Throws the signal's reason if it aborts before that; once begun, `body`
   * sees to the signal itself.
   */
  run<T>(paths: readonly string[], signal: AbortSignal, body: () => Promise<T>): Promise<T>;
}

interface Turn {
  /** With a slash at the end, so that what lies below a directory is what starts with it. */
  readonly prefixes: readonly string[];
  /** Present until it is its turn. */
  start?: () => void;
}

/** Makes an empty queue. Work on overlapping directories runs in the order of its arrival. */
export function createDirectoryQueue(): DirectoryQueue {
  /** The work that runs or waits, in the order of its arrival. */
  const turns: Turn[] = [];

  const isFirst = (turn: Turn) => {
    for (const earlier of turns) {
      if (earlier === turn) return true;
      if (overlap(earlier, turn)) return false;
    }
    return true;
  };

  const comesUp = (turn: Turn, signal: AbortSignal) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => reject(signal.reason);
    turn.start = () => {
      delete turn.start;
      signal.removeEventListener("abort", onAbort);
      resolve();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (isFirst(turn)) turn.start();
    return promise;
  };

  const leave = (turn: Turn) => {
    turns.splice(turns.indexOf(turn), 1);
    for (const next of turns) if (next.start && overlap(turn, next) && isFirst(next)) next.start();
  };

  return {
    async run(paths, signal, body) {
      signal.throwIfAborted();
      const turn: Turn = { prefixes: paths.map((path) => (path === "/" ? path : `${path}/`)) };
      turns.push(turn);
      try {
        await comesUp(turn, signal);
        return await body();
      } finally {
        leave(turn);
      }
    },
  };
}

function overlap({ prefixes: some }: Turn, { prefixes: others }: Turn): boolean {
  for (const a of some) for (const b of others) if (a.startsWith(b) || b.startsWith(a)) return true;
  return false;
}
