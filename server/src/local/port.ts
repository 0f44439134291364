import type { AllowedPath } from "./allowed-dirs.ts";
import type { CopyItem, CopyJob, CopySource } from "./copy-tree.ts";
import type { IdentityJob } from "./identity.ts";
import type { OpenedDirectory, UsersDirectory } from "./open-directory.ts";
import type { OpenStage } from "./stage.ts";
import type { Removed, Spared } from "./tree/removal.ts";
import type { Totals } from "./tree/tree.ts";

/**
 * The work on local directories, which runs on worker threads. Directories are passed as open
 * descriptors, which the threads of a process share. Each step belongs to a signal: once that aborts,
 * the step stops at its next file and throws the signal's reason.
 */
export interface LocalWork {
  /** Which file or directory lies at a path: see identityOf. */
  identify(job: IdentityJob): Promise<string | undefined>;
  /**
   * Opens an allowed directory; undefined if it does not exist and is not to be made. The caller closes
   * its descriptors.
   */
  openDirectory(job: OpenJob): Promise<OpenedDirectory | UsersDirectory | undefined>;
  /** Goes on from where another user's directory was found: see openUsersDirectory. */
  openUsersDirectory(job: UsersJob): Promise<OpenedDirectory>;
  /** Removes a directory that `openOrMakeDirectory` made. Throws if it is not empty. */
  removeMadeDirectory(directory: OpenedDirectory): Promise<void>;
  /** Throws PATH_NOT_ALLOWED for a directory that is never emptied: see requireMayEmpty. */
  requireMayEmpty(directory: { fd: number; path: string }): Promise<void>;
  /** Counts what a save would take of an open directory. */
  measureDirectory(rootFd: number): Promise<Totals>;
  /** Removes all of a cache in a directory while it is marked as not loaded, and counts it. */
  clearDirectory(directory: OpenedDirectory): Promise<Removed>;
  /** Throws INSUFFICIENT_SPACE unless there is room for so many bytes and files. */
  requireSpace(job: SpaceJob): Promise<void>;

  /** Makes a stage beside a directory, or inside it if that is asked for or is the only way. */
  makeStage(job: { directory: OpenedDirectory; inside: boolean }): Promise<OpenStage>;
  /** Makes a finished stage visible under its directory's name; returns what that spared there. */
  publishStage(job: PublishJob): Promise<Spared>;
  /** Moves the one file of a stage into the directory that the stage lies in. */
  publishFile(job: { stage: OpenStage; name: string }): Promise<void>;
  /** Removes a stage and its content, if it still exists. */
  removeStage(stage: OpenStage): Promise<void>;

  /** Opens a file or directory to copy from. The caller closes its descriptor. */
  openSource(path: AllowedPath): Promise<CopySource>;
  /** Lists what a source holds, each directory before its content. */
  listSource(source: CopySource): Promise<CopyItem[]>;
  /** Copies items of a source into a stage, and counts them. */
  copyItems(job: CopyJob): Promise<Totals>;
}

/** Which directory is wanted, and whether what is missing of it is made. */
export interface OpenJob {
  readonly path: AllowedPath;
  readonly create: boolean;
}

/** Where another user's directory was found, by descriptors of this user's process. */
export interface UsersJob {
  readonly path: AllowedPath;
  readonly found: Omit<UsersDirectory, "user">;
}

/** How much room is needed, and on which file system. */
export interface SpaceJob {
  /** An open directory there. */
  readonly fd: number;
  /** That directory, as messages name it. */
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
