import { setTimeout as sleep } from "node:timers/promises";
import { namesOf } from "../../archive/pack/pack.ts";
import { pauseUntil, type ScanResult } from "../../archive/pack/scan.ts";
import type { Logger } from "../../domain/logger.ts";
import type { Profile } from "../../domain/profile.ts";
import type { FlowContext } from "../context.ts";
import type { FilesToSave } from "./attempt.ts";

/** Lists what a save takes of an open directory, on a worker thread. */
export async function scanToSave(
  { logger, archiveFormat: format }: FlowContext,
  { rootFd, workers, unstable }: FilesToSave,
  profile: Profile,
  signal: AbortSignal,
): Promise<ScanResult> {
  const { scan: list } = workers.under(signal);
  const job = { rootFd, unstable: namesOf(unstable), profile, format };
  let scan = await list(job);
  // Only an entry that is surely finished can stand for its kernels, and the newest is often young.
  if (profile.withoutBundledKernels && scan.young.length > 0)
    scan = await afterPause(scan, (seen) => list({ ...job, seen }), signal);
  logBundled(logger, scan);
  return scan;
}

/** Looks again once the young files of a listing are old enough to be finished. */
export async function afterPause<T>(
  { young, settledAtMs }: Pick<ScanResult, "young" | "settledAtMs">,
  lookAgain: (seen: ScanResult["young"]) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  await sleep(pauseUntil(settledAtMs), undefined, { signal }).catch(() => signal.throwIfAborted());
  return lookAgain(young);
}

/** Logs how many kernels do not travel, because torch writes them again from graph entries. */
export function logBundled(logger: Logger, { bundled }: ScanResult): void {
  const { fileCount: files, bytes } = bundled;
  if (files > 0) logger.info("left out kernels that FX graph entries hold", { files, bytes });
}
