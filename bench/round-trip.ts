import { execFileSync } from "node:child_process";
import { renameSync, rmSync } from "node:fs";
import { type Cost, timeCommand } from "./cost.ts";
import type { DaemonCost, MeasuredDaemon } from "./daemon.ts";
import type { Values } from "./suite.ts";

const bytesPerMiB = 1024 ** 2;
export const bytesPerMB = 1e6;

/**
 * Saves a directory, loads it at the same path, as a model does on another machine, and throws if the
 * two differ. The directory is left as it was.
 */
export async function roundTrip(
  daemon: MeasuredDaemon,
  source: string,
): Promise<{ save: Values; load: Values }> {
  const { archiveBytes, ...save } = await daemon.save(source);
  const saved = `${source}.saved`;
  renameSync(source, saved);
  const load = await daemon.load(source);
  execFileSync("diff", ["-r", saved, source]);
  removeTree(source);
  renameSync(saved, source);
  return {
    save: { ...valuesOf(save), archiveMB: archiveBytes / bytesPerMB },
    load: valuesOf(load),
  };
}

export function valuesOf({ peakRssBytes, ...cost }: DaemonCost): Values {
  return { ...cost, peakRssMiB: peakRssBytes / bytesPerMiB };
}

/** The least that a load can take: copies a directory to `out`, and removes the copy again. */
export async function plainCopy(source: string, out: string): Promise<Cost> {
  const cost = await timeCommand("cp", ["-r", source, out]);
  removeTree(out);
  return cost;
}

export function removeTree(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
