// Runs in a daemon, before it: tells on request how long its main thread has computed at a stretch. It is
// the time of this thread's CPU that counts, which no busy neighbour makes longer.

const everyMs = 5;
let before = cpuMs();
let longestMs = 0;

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

setInterval(() => {
  const now = cpuMs();
  longestMs = Math.max(longestMs, now - before);
  before = now;
}, everyMs).unref();

process.on("message", (message) => {
  if (message !== "longest stretch") return;
  process.send?.({ longestMs });
  longestMs = 0;
});
process.channel?.unref();
