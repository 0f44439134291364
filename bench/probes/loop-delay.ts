import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

/** Preloaded into the daemon: tells the bench how late its event loop's timers come. */

const resolutionMs = 1;

if (isMainThread && process.send) {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  const lateMs = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolutionMs);
  process.on("message", (order) => {
    const answer = {
      p50Ms: lateMs(delay.percentile(50)),
      p99Ms: lateMs(delay.percentile(99)),
      maxMs: lateMs(delay.max),
    };
    if (order === "reset") {
      // Not before: its timer costs every suite some CPU.
      delay.enable();
      delay.reset();
    }
    process.send?.(answer);
  });
  // The bench must not keep the daemon alive.
  process.channel?.unref();
}
