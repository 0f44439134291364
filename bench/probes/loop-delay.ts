// A module that is preloaded into the daemon and tells the bench how late the timers of the daemon's
// event loop fire. It answers each message, "reset" or "read", with the 99th percentile so far.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

const resolutionMs = 1;

if (isMainThread && process.send) {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  process.on("message", (order) => {
    const p99Ms = delay.percentile(99) / 1e6 - resolutionMs;
    if (order === "reset") {
      // It is enabled only now, for its timer would cost every suite some CPU.
      delay.enable();
      delay.reset();
    }
    process.send?.(Math.max(0, p99Ms));
  });
  // The bench must not keep the daemon alive.
  process.channel?.unref();
}
