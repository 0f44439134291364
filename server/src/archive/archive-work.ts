import type { ArchiveFormat } from "../domain/cache-id.ts";
import type { Profile } from "../domain/profile.ts";
import type { Comparison } from "./pack/compare.ts";
import type { PackedFrame } from "./pack/frame-packer.ts";
import type { ScanResult } from "./pack/scan.ts";
import type { Relocation } from "./torch/relocation.ts";
import type { StagePlace } from "./unpack/entry-writer.ts";
import type { Unpacked, UnpackLimits } from "./unpack/foreign-unpacker.ts";
import type { FetchedFrame, UnpackedFrame } from "./unpack/frame-unpacker.ts";

/** What a scan is asked for: all of an open directory, or the names in `only`. */
export interface ScanJob {
  readonly rootFd: number;
  readonly nowMs: number;
  readonly only?: readonly string[];
  readonly exclude: readonly string[];
  readonly profile: Profile;
}

/** What the packing of a frame is asked for; the plan is the JSON of a FramePlan. */
export interface PackJob {
  readonly rootFd: number;
  readonly plan: Uint8Array;
  readonly format: ArchiveFormat;
}

/** What the unpacking of a frame is asked for. The frame moves to whoever does it. */
export interface UnpackJob {
  readonly stage: StagePlace;
  readonly fetched: FetchedFrame;
}

/** A file of a stage whose paths are to be moved along. */
export interface MoveJob {
  readonly stage: StagePlace;
  readonly name: string;
  readonly relocation: Relocation;
}

/** What is asked of a finished stage. */
export interface InspectJob {
  readonly stage: StagePlace;
  readonly names: readonly string[];
}

/** What the comparison of an open directory with a stored cache is asked for. */
export interface CompareJob extends ScanJob {
  readonly sections: readonly Uint8Array[];
  readonly superseded: readonly (readonly string[])[];
  /** For each section, what moves the paths of the directory to where its files were saved from. */
  readonly relocations: readonly Relocation[];
}

/** The heavy steps of packing and unpacking, as they are shared out over threads. */
export interface ArchiveWork {
  /** How many steps run at once. */
  readonly threads: number;
  scan(job: ScanJob): Promise<ScanResult>;
  compare(job: CompareJob): Promise<Comparison>;
  packFrame(job: PackJob): Promise<PackedFrame>;
  unpackFrame(job: UnpackJob): Promise<UnpackedFrame>;
  moveEntry(job: MoveJob): Promise<void>;
  /** Counts the files of a stage, and those of the names that it lacks. */
  inspectStage(job: InspectJob): Promise<{ fileCount: number; absent: number }>;
  /** Unpacks a stream that another tool made; a failure of `chunks` itself is thrown as it is. */
  unpackForeign(
    job: { readonly stage: StagePlace; readonly limits: UnpackLimits },
    chunks: AsyncIterable<Uint8Array>,
    onReport: (soFar: Unpacked) => void,
  ): Promise<Unpacked>;
}
