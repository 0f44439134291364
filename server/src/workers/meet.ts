/** Long enough for threads to start on a machine that is busy. */
const mostMs = 30_000;

/** Ends once so many threads have come: each runs one job at a time, so all have started then. */
export function meet({ arrived, threads }: { arrived: Int32Array; threads: number }): void {
  const until = Date.now() + mostMs;
  let count = Atomics.add(arrived, 0, 1) + 1;
  Atomics.notify(arrived, 0);
  while (count < threads && Date.now() < until) {
    Atomics.wait(arrived, 0, count, 100);
    count = Atomics.load(arrived, 0);
  }
}
