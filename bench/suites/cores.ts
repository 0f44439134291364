import { readFileSync } from "node:fs";
import { startDaemon } from "../daemon.ts";
import { Measurements } from "../measurements.ts";
import { plainCopy, roundTrip } from "../round-trip.ts";
import { describeCache } from "../source-cache.ts";
import type { Suite } from "../suite.ts";
import { createWorkspace } from "./workspace.ts";

const coreCounts = [1, 2, 4, 8, 16];
const roomPerCacheByte = 3;

/** Round trips with 1, 2, 4 and more CPUs and as many worker threads. */
export const cores: Suite = async (context) => {
  const { rounds, say } = context;
  const { dir, source, out, allowedDirs } = createWorkspace(context, roomPerCacheByte);
  const cpus = allowedCpus();
  const counts = coreCounts.filter((count) => count <= cpus.length);
  const measured = new Measurements();
  for (let round = 0; round <= rounds; round++) {
    say(round === 0 ? "warming up" : `round ${round} of ${rounds}`);
    const copy = await plainCopy(source.dir, out);
    if (round > 0) measured.add("cp -r", copy);
    for (const count of counts) {
      const daemon = await startDaemon({
        dir,
        allowedDirs,
        workers: count,
        cpus: cpus.slice(0, count),
      });
      try {
        const { save, load } = await roundTrip(daemon, source.dir);
        if (round === 0) continue;
        measured.add(`save: ${coresOf(count)}`, save);
        measured.add(`load: ${coresOf(count)}`, load);
      } finally {
        await daemon.stop();
      }
    }
  }
  return {
    subject: describeCache(source),
    series: measured.toSeries({
      first: ["save", "load"].flatMap((what) =>
        counts.map((count) => `${what}: ${coresOf(count)}`),
      ),
      ratiosOf: (name) => ({
        "x cp -r": measured.ratio(name, "cp -r"),
        "x 1 core": measured.ratio(name, name.replace(/:.*/, `: ${coresOf(1)}`)),
      }),
    }),
    targets: [],
    notes: ["Daemon and workers share the cores; the daemon is fresh for each round."],
  };
};

function coresOf(count: number): string {
  return `${count} ${count === 1 ? "core" : "cores"}`;
}

/** CPUs that this process may use. */
function allowedCpus(): number[] {
  const status = readFileSync("/proc/self/status", "utf8");
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? "0";
  return list.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
