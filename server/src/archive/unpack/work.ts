import type { Relocation } from "../torch/relocation.ts";
import type { StageDirectory } from "./entry-writer.ts";
import type { Unpacked, UnpackLimits } from "./foreign-unpacker.ts";
import type { FetchedFrame, UnpackedFrame } from "./frame-unpacker.ts";

/**
 * The heavy steps of unpacking, as they are shared out over threads. A step ends soon after the signal
 * that it was started under aborts, and throws that signal's reason.
 */
export interface UnpackWork {
  /** How many steps run at once. */
  readonly threads: number;
  unpackFrame(job: UnpackJob): Promise<UnpackedFrame>;
  /** Moves the paths in a file of a stage. */
  relocateEntry(job: RelocateJob): Promise<void>;
  inspectStage(job: InspectJob): Promise<StageContent>;
  /** Unpacks a stream that another tool made; a failure of `chunks` itself is thrown as it is. */
  unpackForeignStream(
    job: { readonly stage: StageDirectory; readonly limits: UnpackLimits },
    chunks: AsyncIterable<Uint8Array>,
    onReport: (soFar: Unpacked) => void,
  ): Promise<Unpacked>;
}

export interface UnpackJob {
  readonly stage: StageDirectory;
  /** Its buffer moves to the thread, and is empty afterwards. */
  readonly fetched: FetchedFrame;
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
  /** How many of the names it lacks. */
  readonly absent: number;
}
