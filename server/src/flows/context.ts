import type { ArchiveFormat } from "../domain/cache-id.ts";
import type { Limits } from "../domain/limits.ts";
import type { Logger } from "../domain/logger.ts";
import type { Origin } from "../domain/origin.ts";
import type { Trust } from "../signing/trust.ts";
import type { B10Archives, Store } from "../store/store.ts";
import type { DaemonWorkers } from "../workers/workers.ts";

/** What every flow works with. */
export interface FlowContext {
  readonly store: Store;
  readonly archiveFormat: ArchiveFormat;
  readonly limits: Limits;
  /** How many new files or bytes, in percent of the stored ones, make a refresh worth it. */
  readonly refreshMinPercent: number;
  /** The daemon's threads. What is done in a local directory is done by the workers of LocalDirectory. */
  readonly workers: DaemonWorkers;
  /** What archives say of who saved them. */
  readonly origin: Origin;
  /** Who signs what is saved, and whose signatures count. */
  readonly trust: Trust;
  /** Absent: archives of b10-transfer are not looked for. */
  readonly b10Archives?: B10Archives | undefined;
  readonly logger: Logger;
}

/** The signal of work that runs to its end, such as tidying up. */
export const uncancelled: AbortSignal = new AbortController().signal;
