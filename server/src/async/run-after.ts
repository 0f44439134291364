/** The longest that a timer takes; one that is set to more is over at once. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * Calls `work` after so many milliseconds, be it years, unless the returned function is called before. Keeps
 * no process running.
 */
export function runAfter(ms: number, work: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number) => {
    const nextMs = Math.min(leftMs, longestTimerMs);
    timer = setTimeout(() => (leftMs > nextMs ? wait(leftMs - nextMs) : work()), nextMs).unref();
  };
  wait(ms);
  return () => clearTimeout(timer);
}
