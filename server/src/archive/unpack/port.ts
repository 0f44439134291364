import type { Relocation } from "../torch/relocation.ts";
import type { StageDirectory } from "./entry-writer.ts";
import type { Unpacked } from "./foreign-unpacker.ts";
import type { FetchedFrame, UnpackedFrame } from "./frame-unpacker.ts";
import type { UnpackLimits } from "./tar-entries.ts";

/**
 * The expensive steps of unpacking, which run on worker threads. Each step belongs to a signal: soon
 * after that aborts, the step ends and throws the signal's reason.
 */
export interface UnpackWork {
  /** How many steps run at once. */
  readonly threads: number;
  /** Verifies one frame and writes its files: see unpackFrame. */
  unpackFrame(job: UnpackJob): Promise<UnpackedFrame>;
  /** Rewrites the paths in a file of a stage. */
  relocateEntry(job: RelocateJob): Promise<void>;
  /** Counts the files in a stage, and those that are missing from it. */
  inspectStage(job: InspectJob): Promise<StageContent>;
  /**
   * Unpacks an archive of another tool from a stream, or without a stage reads it to its end. A failure
   * of `chunks` is thrown unchanged.
   */
  unpackForeignStream(
    job: { readonly stage: StageDirectory | undefined; readonly limits: UnpackLimits },
    chunks: AsyncIterable<Uint8Array>,
    onReport: (soFar: Unpacked) => void,
  ): Promise<Unpacked>;
}

export interface UnpackJob {
  readonly stage: StageDirectory;
  /** The buffer of its frame moves to the thread, and is empty afterwards. */
  readonly fetched: FetchedFrame;
  readonly limits: UnpackLimits;
}

export interface RelocateJob {
  readonly stage: StageDirectory;
  readonly name: string;
  readonly relocation: Relocation;
}

export interface InspectJob {
  readonly stage: StageDirectory;
  /** Names that the stage should hold. */
  readonly names: readonly string[];
}

/** What a finished stage holds. */
export interface StageContent {
  readonly fileCount: number;
  /** How many of the names are missing. */
  readonly absent: number;
}
