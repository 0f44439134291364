import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

/** Loaded into a daemon: tells, when asked over its channel, for how long its loop stood still at most. */
const resolutionMs = 5;
if (isMainThread && process.send) {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  process.on("message", () => {
    process.send?.({ stallMs: Math.max(0, delay.max / 1e6 - resolutionMs) });
    delay.reset();
  });
  process.channel?.unref();
}
