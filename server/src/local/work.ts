import type { AllowedPath } from "./allowed-dirs.ts";
import type { CopyItem, CopyJob, CopySource } from "./copy-tree.ts";
import type { OpenedDirectory } from "./open-directory.ts";
import type { OpenStage } from "./stage.ts";
import type { Totals } from "./tree.ts";

/**
 * The work on local directories, as it is shared out over threads. Directories are named by open
 * descriptors, which the threads of a process share. A step stops at its next file once the signal
 * that it was started under aborts, and throws that signal's reason.
 */
export interface LocalWork {
  /** Opens an allowed directory; undefined if there is none. The caller closes its descriptors. */
  openDirectory(path: AllowedPath): Promise<OpenedDirectory | undefined>;
  /** Opens an allowed directory and makes what is missing of it. The caller closes its descriptors. */
  openOrMakeDirectory(path: AllowedPath): Promise<OpenedDirectory>;
  /** Removes a directory that `openOrMakeDirectory` made, unless it holds something. */
  removeMadeDirectory(directory: OpenedDirectory): Promise<void>;
  /** Counts what a save would take of an open directory. */
  measureDirectory(rootFd: number): Promise<Totals>;
  /** Removes all that a directory holds, under the marker "not loaded", and counts it. */
  clearDirectory(directory: OpenedDirectory): Promise<Totals>;
  /** Throws INSUFFICIENT_SPACE unless there is room for so many bytes and files. */
  requireSpace(job: SpaceJob): Promise<void>;

  /** Makes a stage beside a directory, or inside it where that is asked for, or cannot be helped. */
  makeStage(job: { directory: OpenedDirectory; inside: boolean }): Promise<OpenStage>;
  /** Makes a finished stage visible under its directory's name. */
  publishStage(job: PublishJob): Promise<void>;
  /** Moves the one file of a stage into the directory that the stage lies in. */
  publishFile(job: { stage: OpenStage; name: string }): Promise<void>;
  removeStage(stage: OpenStage): Promise<void>;

  /** Opens a file or directory to copy from. The caller closes its descriptor. */
  openSource(path: AllowedPath): Promise<CopySource>;
  /** All that a source holds, directories before their content. */
  listSource(source: CopySource): Promise<CopyItem[]>;
  copyItems(job: CopyJob): Promise<Totals>;
}

/** How much room is needed, and on which file system. */
export interface SpaceJob {
  /** An open directory there. */
  readonly fd: number;
  /** That directory, as people are shown it. */
  readonly shownAs: string;
  readonly bytes: number;
  readonly fileCount: number;
}

/** How a stage is to appear: see publishStage. */
export interface PublishJob {
  readonly directory: OpenedDirectory;
  readonly stage: OpenStage;
  readonly overwrite: boolean;
  readonly exact: boolean;
}
