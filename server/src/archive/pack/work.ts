import type { ArchiveFormat } from "../../domain/cache-id.ts";
import type { Relocation } from "../torch/relocation.ts";
import type { Comparison } from "./compare.ts";
import type { PackedFrame } from "./frame-packer.ts";
import type { ListOptions, ScanResult } from "./scan.ts";

/**
 * The heavy steps of packing, as they are shared out over threads. A step ends soon after the signal
 * that it was started under aborts, and throws that signal's reason.
 */
export interface PackWork {
  /** How many steps run at once. */
  readonly threads: number;
  /** Lists what a save takes of an open directory, and plans how it is packed. */
  scan(job: ScanJob): Promise<ScanResult>;
  /** Compares an open directory with a stored cache. */
  compare(job: CompareJob): Promise<Comparison>;
  packFrame(job: PackJob): Promise<PackedFrame>;
}

export interface ScanJob extends ListOptions {
  readonly rootFd: number;
}

export interface CompareJob extends ScanJob {
  /** The sections of the stored cache's file index, and for each: */
  readonly sections: readonly Uint8Array[];
  /** the names that count no more, */
  readonly superseded: readonly (readonly string[])[];
  /** and what leads from paths in this directory to those that its files were saved with. */
  readonly relocations: readonly Relocation[];
}

export interface PackJob {
  readonly rootFd: number;
  /** JSON of a FramePlan. */
  readonly plan: Uint8Array;
  readonly format: ArchiveFormat;
}
