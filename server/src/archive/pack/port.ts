import type { ArchiveFormat } from "../../domain/cache-id.ts";
import type { RootPaths } from "../../domain/root-paths.ts";
import type { CompareLimits, Comparison, StoredFrame } from "./compare.ts";
import type { PackedFrame } from "./frame-packer.ts";
import type { ListOptions, ScanResult } from "./scan.ts";

/**
 * The expensive steps of packing, which run on worker threads. Each step belongs to a signal: soon
 * after that aborts, the step ends and throws the signal's reason.
 */
export interface PackWork {
  /** How many steps run at once. */
  readonly threads: number;
  /** Lists what a save takes of an open directory, and plans how it is packed: see scanTree. */
  scan(job: ScanJob): Promise<ScanResult>;
  /** Compares an open directory with a stored cache: see compareTree. */
  compare(job: CompareJob): Promise<Comparison>;
  /** Reads and compresses the files of one planned frame. */
  packFrame(job: PackJob): Promise<PackedFrame>;
}

export interface ScanJob extends ListOptions {
  readonly rootFd: number;
}

export interface CompareJob extends ScanJob {
  /** The paths by which files may name the directory. */
  readonly root: RootPaths;
  /** What is compared with: the frames of the stored cache. */
  readonly stored: readonly StoredFrame[];
  readonly limits: CompareLimits;
}

export interface PackJob {
  readonly rootFd: number;
  /** JSON of a FramePlan. */
  readonly plan: Uint8Array;
  readonly format: ArchiveFormat;
  /** The paths by which files may name the directory. */
  readonly rootPaths: readonly string[];
}
