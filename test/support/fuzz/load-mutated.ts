import assert from "node:assert/strict";
import { existsSync, lstatSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { CacheError } from "../../../server/src/domain/cache-error.ts";
import type { FlowBench } from "../flow-bench.ts";
import { mutatedArchives } from "./mutated-archives.ts";

/** What a number of tries found. */
export interface Tally {
  tries: number;
  loaded: number;
  refused: number;
  /** The longest that the main thread computed between two turns of its loop, in milliseconds. */
  longestStretchMs: number;
  /** The most memory that the process held, in bytes. */
  peakBytes: number;
}

const refusals = /^(ARCHIVE_|CACHE_TOO_LARGE$)/;

/**
 * Loads so many changed archives, the same for the same seed. Each must load, or be refused as an
 * archive, and leave nothing but files and directories in the local directory, and nothing beside it.
 * Throws with the smallest archive that fails that it finds.
 */
export async function loadMutated(bench: FlowBench, seed: number, tries: number): Promise<Tally> {
  const tally = { tries: 0, loaded: 0, refused: 0, longestStretchMs: 0, peakBytes: 0 };
  const path = bench.archivePath();
  const sound = readdirSync(bench.dir).sort();
  const stretch = stretches((ms) => {
    tally.longestStretchMs = Math.max(tally.longestStretchMs, ms);
  });
  const property = fc.asyncProperty(mutatedArchives, async ({ content }) => {
    tally.tries += 1;
    writeFileSync(path, content);
    const limits = { maxContentBytes: 1 << 28, maxFileCount: 1000 };
    const error = await bench.load({ limits }).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (error === undefined) tally.loaded += 1;
    else {
      tally.refused += 1;
      assert.ok(error instanceof CacheError, String((error as Error).stack));
      assert.match(error.reason, refusals, `${error.message} ${(error.cause as Error)?.stack}`);
    }
    if (error === undefined) requireHarmless(bench.localDir);
    else assert.ok(!existsSync(bench.localDir), "a refused archive left something");
    rmSync(bench.localDir, { recursive: true, force: true });
    assert.deepEqual(readdirSync(bench.dir).sort(), sound, "something is beside the directory");
    for (const name of bench.storeFiles()) rmSync(join(dirname(path), name));
    tally.peakBytes = Math.max(tally.peakBytes, process.memoryUsage.rss());
  });
  try {
    await fc.assert(property, { seed, numRuns: tries, endOnFailure: false });
  } finally {
    clearInterval(stretch);
  }
  return tally;
}

function requireHarmless(directory: string): void {
  const below = readdirSync(directory, { recursive: true, encoding: "utf8" });
  for (const name of below) {
    const stat = lstatSync(join(directory, name));
    assert.ok(stat.isFile() || stat.isDirectory(), `${name} is neither file nor directory`);
    assert.ok(!name.includes(".compilecache-"), `${name} has a name of the daemon's own`);
  }
}

/** Tells how long this thread has computed, by its CPU, between turns of its loop. */
function stretches(tell: (ms: number) => void): NodeJS.Timeout {
  let before = process.threadCpuUsage();
  return setInterval(() => {
    const { user, system } = process.threadCpuUsage(before);
    before = process.threadCpuUsage();
    tell((user + system) / 1000);
  }, 2);
}
