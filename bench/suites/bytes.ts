import { join } from "node:path";
import { startDaemon } from "../daemon.ts";
import { Measurements } from "../measurements.ts";
import { bytesPerMB, removeTree, valuesOf } from "../round-trip.ts";
import { emptyDirectory, NoRoom } from "../scratch.ts";
import { generateCache, realCache, totalsOf } from "../source-cache.ts";
import type { Suite } from "../suite.ts";

/** Caches of the same make-up, the largest with one file that holds 4 GB of its bytes. */
const sizes = [
  { name: "0.7 GB", bytes: realCache.bytes, extraFileBytes: 0 },
  { name: "3 GB", bytes: 3e9, extraFileBytes: 0 },
  { name: "10 GB", bytes: 10e9, extraFileBytes: 4e9 },
];
/** The source is removed before the load; archives are smaller, and small files waste some space. */
const roomPerByte = 1.25;

/** How much the daemon's memory grows with the bytes of a cache. */
export const bytes: Suite = async ({ rounds, maxBytes, scratch, say }) => {
  const measured = new Measurements();
  const notes: string[] = [];
  for (const { name, bytes, extraFileBytes } of sizes) {
    if (bytes > maxBytes) {
      notes.push(`${name} was left out: it is more than --max-gb.`);
      continue;
    }
    let place: ReturnType<typeof scratch>;
    try {
      place = scratch(bytes * roomPerByte);
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error;
      notes.push(`${name} was left out: ${error.message}.`);
      continue;
    }
    const { dir, kind } = place;
    notes.push(`${name} lay on ${kind}.`);
    const outside = emptyDirectory(join(dir, "out"));
    const out = join(outside, "cache");
    const daemon = await startDaemon({ dir, allowedDirs: [outside, join(dir, "source")] });
    try {
      for (let round = 1; round <= rounds; round++) {
        say(`${name}: round ${round} of ${rounds}`);
        const scale = (bytes - extraFileBytes) / realCache.bytes;
        const source = generateCache(dir, scale, { extraFileBytes });
        const { archiveBytes, ...save } = await daemon.save(source.dir);
        removeTree(source.dir);
        const load = await daemon.load(out);
        const loaded = totalsOf(out);
        if (loaded.fileCount !== source.fileCount || loaded.bytes !== source.bytes)
          throw new Error(`${loaded.fileCount} files with ${loaded.bytes} bytes were loaded`);
        removeTree(out);
        measured.add(`save: ${name}`, { ...valuesOf(save), archiveMB: archiveBytes / bytesPerMB });
        measured.add(`load: ${name}`, valuesOf(load));
      }
    } finally {
      await daemon.stop();
      place.remove();
    }
  }

  const rss = (name: string | undefined) =>
    Math.max(
      measured.median(`save: ${name}`, "peakRssMiB"),
      measured.median(`load: ${name}`, "peakRssMiB"),
    );
  return {
    subject: "generated caches",
    series: measured.toSeries({
      first: ["save", "load"].flatMap((what) => sizes.map(({ name }) => `${what}: ${name}`)),
    }),
    targets: [
      {
        what: `daemon: peak RSS with ${sizes.at(-1)?.name} beside that with ${sizes[0]?.name}`,
        measured: rss(sizes.at(-1)?.name) / rss(sizes[0]?.name),
        unit: "x",
        atLeast: 1.5,
        aim: 1,
        better: "lower",
      },
    ],
    notes,
  };
};
