import type { Worker } from "node:worker_threads";

/** Counts the threads that this process starts from now on, and those of them that have ended. */
export function watchThreads(t: { after(tidy: () => void): void }) {
  const seen = { started: 0, ended: 0 };
  const onThread = (thread: Worker) => {
    seen.started += 1;
    thread.once("exit", () => {
      seen.ended += 1;
    });
  };
  process.on("worker", onThread);
  t.after(() => process.off("worker", onThread));
  return seen;
}
