import type { Logger } from "../domain/logger.ts";
import type { Spared } from "../local/tree/removal.ts";

/** Logs in one line what a clear, or a load that replaces, left in a directory as no cache's. */
export function logSpared(logger: Logger, localDir: string, spared: Spared): void {
  if (spared.length === 0) return;
  const counted = spared.map(({ reason, ...files }) => [reason.toLowerCase(), files]);
  logger.info("left in the local directory what is no cache's", {
    local_dir: localDir,
    ...Object.fromEntries(counted),
  });
}
