import type { MessagePort } from "node:worker_threads";
import { decodeManifest } from "../archive/format/decode-manifest.ts";
import type { Manifest } from "../archive/format/manifest.ts";
import { type Comparison, compareTree } from "../archive/pack/compare.ts";
import { type PackedFrame, packFrame } from "../archive/pack/frame-packer.ts";
import type { FramePlan } from "../archive/pack/plan.ts";
import type { CompareJob, PackJob, ScanJob } from "../archive/pack/port.ts";
import { type ScanResult, scanTree } from "../archive/pack/scan.ts";
import type { StageDirectory } from "../archive/unpack/entry-writer.ts";
import { type Unpacked, unpackForeignStream } from "../archive/unpack/foreign-unpacker.ts";
import { type UnpackedFrame, unpackFrame } from "../archive/unpack/frame-unpacker.ts";
import { inspectStage } from "../archive/unpack/inspect-stage.ts";
import type { RelocateJob, UnpackJob } from "../archive/unpack/port.ts";
import { relocateEntry } from "../archive/unpack/relocate-entry.ts";
import type { UnpackLimits } from "../archive/unpack/tar-entries.ts";
import { CacheError } from "../domain/cache-error.ts";
import type { AllowedPath } from "../local/allowed-dirs.ts";
import { clearDirectory } from "../local/clear-directory.ts";
import {
  type CopyItem,
  type CopySource,
  copyItems,
  listSource,
  openSource,
} from "../local/copy-tree.ts";
import { type IdentityJob, identityOf } from "../local/identity.ts";
import { requireMayEmpty } from "../local/never-emptied.ts";
import {
  type OpenedDirectory,
  openDirectory,
  openUsersDirectory,
  removeMade,
  type UsersDirectory,
} from "../local/open-directory.ts";
import type { OpenJob, PublishJob, SpaceJob, UsersJob } from "../local/port.ts";
import { requireSpace } from "../local/space/disk-space.ts";
import {
  makeStage,
  type OpenStage,
  publishFile,
  publishStage,
  removeStage,
} from "../local/stage.ts";
import { pathOfHandle } from "../local/tree/pinned-directory.ts";
import type { Spared } from "../local/tree/removal.ts";
import { type Checkpoint, measureTree } from "../local/tree/tree.ts";
import { receiveChunks } from "./chunk-channel.ts";
import { meet } from "./meet.ts";

/**
 * The flag that stops a job at its next checkpoint: shared by all threads, and non-zero once it is
 * raised.
 */
export type CancelFlag = Int32Array<SharedArrayBuffer>;

/**
 * The jobs of worker threads, by name: synchronous work on files, and compression. Directories are
 * passed as open descriptors, which the threads of a process share.
 */
export const jobs = {
  scan: (job: ScanJob, checkpoint: Checkpoint): ScanResult => scanTree(job.rootFd, job, checkpoint),

  compare: (job: CompareJob, checkpoint: Checkpoint): Comparison =>
    compareTree(job.rootFd, job, checkpoint),

  decodeManifest: (payload: Uint8Array): Manifest => decodeManifest(Buffer.from(payload.buffer)),

  inspectStage,

  packFrame: (job: PackJob, checkpoint: Checkpoint): PackedFrame =>
    packFrame(
      job.rootFd,
      JSON.parse(Buffer.from(job.plan).toString()) as FramePlan,
      job.format,
      job.rootPaths,
      checkpoint,
    ),

  unpackFrame: (job: UnpackJob, checkpoint: Checkpoint): UnpackedFrame => {
    requireSpace(job.stage.path, job.stage.shownAs, job.fetched.contentBytes, 0);
    return unpackFrame(job.stage, job.fetched, job.limits, checkpoint);
  },

  relocateEntry: ({ stage, name, relocation }: RelocateJob, checkpoint: Checkpoint): void =>
    relocateEntry(stage, name, relocation, checkpoint),

  unpackForeignStream: (
    job: { stage: StageDirectory | undefined; limits: UnpackLimits; port: MessagePort },
    checkpoint: Checkpoint,
  ): Promise<Unpacked> =>
    unpackForeignStream(job.stage, receiveChunks(job.port), job.limits, checkpoint, (soFar) =>
      job.port.postMessage({ fileCount: soFar.fileCount, bytes: soFar.bytes }),
    ),

  identify: (job: IdentityJob): string | undefined => identityOf(job),
  openDirectory: ({ path, create }: OpenJob): OpenedDirectory | UsersDirectory | undefined =>
    openDirectory(path, create),
  openUsersDirectory: ({ path, found }: UsersJob): OpenedDirectory =>
    openUsersDirectory(path, found),
  removeMadeDirectory: (directory: OpenedDirectory): void => removeMade(directory),
  requireMayEmpty,
  measureDirectory: measureTree,
  clearDirectory,
  requireSpace: ({ fd, shownAs, bytes, fileCount }: SpaceJob): void =>
    requireSpace(pathOfHandle(fd), shownAs, bytes, fileCount),

  makeStage: (
    { directory, inside }: { directory: OpenedDirectory; inside: boolean },
    checkpoint: Checkpoint,
  ): OpenStage => makeStage(directory, inside, checkpoint),
  publishStage: ({ directory, stage, ...how }: PublishJob, checkpoint: Checkpoint): Spared =>
    publishStage(directory, stage, how, checkpoint),
  publishFile: ({ stage, name }: { stage: OpenStage; name: string }): void =>
    publishFile(stage, name),
  removeStage: (stage: OpenStage): void => removeStage(stage),

  meet,

  openSource: (path: AllowedPath): CopySource => openSource(path),
  listSource: (source: CopySource): CopyItem[] => listSource(source),
  copyItems,
};

export type Jobs = typeof jobs;

/** A checkpoint that throws CANCELLED once the flag is raised. */
export function checkpointOf(flag: CancelFlag): Checkpoint {
  return () => {
    if (Atomics.load(flag, 0) !== 0) throw new CacheError("CANCELLED", "cancelled");
  };
}
