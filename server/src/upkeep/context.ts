import type { FormatWork } from "../archive/format/port.ts";
import type { UnpackWork } from "../archive/unpack/port.ts";
import type { Limits } from "../domain/limits.ts";
import type { Logger } from "../domain/logger.ts";
import type { Trust } from "../signing/trust.ts";
import type { ArchiveName, Store } from "../store/store.ts";

/** What the upkeep of a store works with; it needs no daemon, and disturbs none. */
export interface UpkeepContext {
  readonly store: Store;
  readonly work: FormatWork & UnpackWork;
  readonly limits: Limits;
  readonly trust: Trust;
  readonly logger: Logger;
}

/** How much of an archive has been read, in bytes. */
export interface ReadSoFar {
  readonly done: number;
  readonly total: number;
}

/** An archive's name among all of a store. */
export function pathOf({ namespace, filename }: ArchiveName): string {
  return `${namespace}/${filename}`;
}
