import { join } from "node:path";
import { startDaemon } from "../daemon.ts";
import { Measurements } from "../measurements.ts";
import { plainCopy, removeTree, roundTrip } from "../round-trip.ts";
import { emptyDirectory } from "../scratch.ts";
import { generateCache, realCache } from "../source-cache.ts";
import type { Suite } from "../suite.ts";

const fileCounts = [1_000, 10_000, 100_000];
const bytes = 256e6;
/** Small files take whole pages of memory, as source and as loaded files. */
const roomBytes = 4 * bytes + 100_000 * 3 * 4096;

/** How long the same bytes take in 10 times and 100 times as many files. */
export const files: Suite = async ({ rounds, scratch, say }) => {
  const { dir } = scratch(roomBytes);
  const outside = emptyDirectory(join(dir, "out"));
  const out = join(outside, "cache");
  const measured = new Measurements();
  for (const fileCount of fileCounts) {
    const scale = fileCount / realCache.fileCount;
    const sizeScale = bytes / (realCache.bytes * scale);
    const source = generateCache(dir, scale, { sizeScale });
    const daemon = await startDaemon({ dir, allowedDirs: [outside, source.dir] });
    const of = `${fileCount.toLocaleString("en")} files`;
    try {
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? `${of}: warming up` : `${of}: round ${round} of ${rounds}`);
        const copy = await plainCopy(source.dir, out);
        const { save, load } = await roundTrip(daemon, source.dir);
        if (round === 0) continue;
        measured.add(`cp -r: ${of}`, copy);
        measured.add(`save: ${of}`, save);
        measured.add(`load: ${of}`, load);
      }
    } finally {
      await daemon.stop();
    }
    removeTree(source.dir);
  }
  return {
    subject: `generated caches of ${bytes / 1e6} MB each`,
    series: measured.toSeries({
      first: ["cp -r", "save", "load"].flatMap((what) =>
        fileCounts.map((count) => `${what}: ${count.toLocaleString("en")} files`),
      ),
      ratiosOf: (name) => ({
        "x cp -r": measured.ratio(name, name.replace(/^\w+( -r)?/, "cp -r")),
      }),
    }),
    targets: [],
    notes: [],
  };
};
