import { cpus } from "node:os";
import { join } from "node:path";
import { type MeasuredDaemon, startDaemon } from "../daemon.ts";
import { Measurements } from "../measurements.ts";
import { removeTree, valuesOf } from "../round-trip.ts";
import { emptyDirectory } from "../scratch.ts";
import {
  describeCache,
  generateCache,
  prepareCache,
  realCache,
  sizeOfCache,
} from "../source-cache.ts";
import type { Suite } from "../suite.ts";

const daemonCounts = [1, 2, 4, 8, 16];
const most = daemonCounts.at(-1) as number;
/** A part of the real cache, so that 16 copies and their daemons fit into a small machine's memory. */
const scale = 0.25;

/** Many daemons load one archive at once, each into a directory of its own. */
export const daemons: Suite = async ({ cache, rounds, scratch, say }) => {
  const cacheBytes = cache === undefined ? realCache.bytes * scale : sizeOfCache(cache);
  const { dir } = scratch(cacheBytes * (most + 2));
  const source = cache === undefined ? generateCache(dir, scale) : prepareCache(dir, cache);
  const storeDir = join(dir, "store");
  const started: { daemon: MeasuredDaemon; out: string }[] = [];
  const measured = new Measurements();
  try {
    for (let i = 0; i < most; i++) {
      const own = emptyDirectory(join(dir, `daemon-${i}`));
      const outside = emptyDirectory(join(own, "out"));
      const daemon = await startDaemon({
        dir: own,
        allowedDirs: [outside, source.dir],
        storeDir,
      });
      started.push({ daemon, out: join(outside, "cache") });
    }
    await started[0]?.daemon.save(source.dir);
    for (let round = 0; round <= rounds; round++) {
      for (const count of daemonCounts) {
        say(`${round === 0 ? "warming up" : `round ${round} of ${rounds}`}: ${count}`);
        const loading = started.slice(0, count);
        const costs = await Promise.all(loading.map(({ daemon, out }) => daemon.load(out)));
        for (const { out } of loading) removeTree(out);
        if (round === 0) continue;
        const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
        measured.add(nameOf(count), {
          wallS: Math.max(...costs.map(({ wallS }) => wallS)),
          cpuS: sum(costs.map(({ cpuS }) => cpuS)),
          peakRssMiB: Math.max(...costs.map((cost) => valuesOf(cost).peakRssMiB ?? 0)),
        });
      }
    }
  } finally {
    await Promise.all(started.map(({ daemon }) => daemon.stop()));
  }
  return {
    subject: describeCache(source),
    series: measured.toSeries({
      ratiosOf: (name) => ({ "x 1 daemon": measured.ratio(name, nameOf(1)) }),
    }),
    targets: [],
    notes: [
      `Wall time until the last has loaded, CPU of all together, peak RSS of the largest. ` +
        `All share ${cpus().length} cores, so times grow where those are busy.`,
    ],
  };
};

function nameOf(count: number): string {
  return count === 1 ? "1 daemon" : `${count} daemons`;
}
