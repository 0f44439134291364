import { setTimeout as sleep } from "node:timers/promises";
import { pauseUntil, type ScanResult } from "../../archive/pack/scan.ts";
import type { Logger } from "../../domain/logger.ts";
import type { Profile } from "../../domain/profile.ts";
import type { FlowContext } from "../context.ts";

/** Lists what a save takes of an open directory, on a worker thread. */
export async function scanToSave(
  { workers, logger }: FlowContext,
  what: { rootFd: number; unstable: readonly string[]; profile: Profile },
  signal: AbortSignal,
): Promise<ScanResult> {
  const { scan: list } = workers.under(signal);
  const scanNow = () => list({ ...what, nowMs: Date.now() });
  let scan = await scanNow();
  // Only an entry that is surely finished can stand for its kernels, and the newest is often young.
  if (what.profile.withoutBundledKernels && scan.young.length > 0)
    scan = await afterPause(scan.settledAtMs, scanNow, signal);
  logBundled(logger, scan);
  return scan;
}

/** Does something once files are old enough to be finished, at `atMs`. */
export async function afterPause<T>(
  atMs: number,
  body: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  await sleep(pauseUntil(atMs), undefined, { signal }).catch(() => signal.throwIfAborted());
  return body();
}

/** Logs how many kernels do not travel, because torch writes them again from graph entries. */
export function logBundled(logger: Logger, { bundled }: ScanResult): void {
  const { fileCount: files, bytes } = bundled;
  if (files > 0) logger.info("left out kernels that FX graph entries hold", { files, bytes });
}
