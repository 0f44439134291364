import { existsSync, readdirSync } from "node:fs";
import type { MessagePort } from "node:worker_threads";
import type {
  CompareJob,
  InspectJob,
  MoveJob,
  PackJob,
  ScanJob,
  UnpackJob,
} from "../archive/archive-work.ts";
import { type Comparison, compareTree } from "../archive/pack/compare.ts";
import { type PackedFrame, packFrame } from "../archive/pack/frame-packer.ts";
import { type FramePlan, type ScanResult, scanTree } from "../archive/pack/scan.ts";
import type { StagePlace } from "../archive/unpack/entry-writer.ts";
import {
  type Unpacked,
  type UnpackLimits,
  unpackForeign,
} from "../archive/unpack/foreign-unpacker.ts";
import { type UnpackedFrame, unpackFrame } from "../archive/unpack/frame-unpacker.ts";
import { moveEntry } from "../archive/unpack/relocate-entry.ts";
import { CacheError } from "../domain/cache-error.ts";
import type { AllowedPath } from "../local/allowed-dirs.ts";
import {
  type CopyItem,
  type CopySource,
  copyItems,
  listSource,
  openSource,
} from "../local/copy-tree.ts";
import { requireSpace } from "../local/disk-space.ts";
import { type OpenedDirectory, openDirectory, removeMade } from "../local/open-directory.ts";
import { pathOfHandle } from "../local/pinned-directory.ts";
import {
  clearMarker,
  makeStage,
  type OpenStage,
  publishFile,
  publishStage,
  removeStage,
  setMarker,
} from "../local/stage.ts";
import { notLoadedMarker } from "../local/transient-names.ts";
import { type Checkpoint, emptyDirectory, type Totals, walk } from "../local/tree.ts";
import { receiveChunks } from "./chunk-channel.ts";

/** The flag that stops a job at its next step: shared by all threads, non-zero once it is raised. */
export type CancelFlag = Int32Array<SharedArrayBuffer>;

/**
 * What worker threads do: synchronous work on files, and compression. Directories come as open
 * descriptors, which the threads of a process share.
 */
export const jobs = {
  scan: (job: ScanJob, checkpoint: Checkpoint): ScanResult => scanTree(job.rootFd, job, checkpoint),

  compare: (job: CompareJob, checkpoint: Checkpoint): Comparison =>
    compareTree(job.rootFd, job, checkpoint),

  inspectStage: ({ stage, names }: InspectJob): { fileCount: number; absent: number } => {
    const entries = readdirSync(stage.path, { recursive: true, withFileTypes: true });
    return {
      fileCount: entries.filter((entry) => entry.isFile()).length,
      absent: names.filter((name) => !existsSync(`${stage.path}/${name}`)).length,
    };
  },

  packFrame: (job: PackJob, checkpoint: Checkpoint): PackedFrame =>
    packFrame(
      job.rootFd,
      JSON.parse(Buffer.from(job.plan).toString()) as FramePlan,
      job.format,
      checkpoint,
    ),

  unpackFrame: (job: UnpackJob, checkpoint: Checkpoint): UnpackedFrame => {
    requireSpace(job.stage.path, job.stage.place, job.fetched.contentBytes, 0);
    return unpackFrame(job.stage, job.fetched, checkpoint);
  },

  moveEntry: ({ stage, name, relocation }: MoveJob, checkpoint: Checkpoint): void =>
    moveEntry(stage, name, relocation, checkpoint),

  unpackForeign: (
    job: { stage: StagePlace; limits: UnpackLimits; port: MessagePort },
    checkpoint: Checkpoint,
  ): Promise<Unpacked> =>
    unpackForeign(job.stage, receiveChunks(job.port), job.limits, checkpoint, (soFar) =>
      job.port.postMessage({ fileCount: soFar.fileCount, bytes: soFar.bytes }),
    ),

  /** Counts what a save would take. */
  measure: (job: { rootFd: number }, checkpoint: Checkpoint): Totals => {
    const totals = { fileCount: 0, bytes: 0 };
    for (const { name, stat } of walk(job.rootFd)) {
      checkpoint();
      if (name.endsWith("/")) continue;
      totals.fileCount += 1;
      totals.bytes += stat.size;
    }
    return totals;
  },

  openDirectory: (job: { place: AllowedPath; create: boolean }): OpenedDirectory | undefined =>
    openDirectory(job.place, job.create),

  removeMade: (job: { directory: OpenedDirectory }): void => removeMade(job.directory),

  makeStage: (
    job: { directory: OpenedDirectory; inside: boolean },
    checkpoint: Checkpoint,
  ): OpenStage => makeStage(job.directory, job.inside, checkpoint),

  publishStage: (
    job: { directory: OpenedDirectory; stage: OpenStage; overwrite: boolean; exact: boolean },
    checkpoint: Checkpoint,
  ): void => publishStage(job.directory, job.stage, job, checkpoint),

  removeStage: (job: { stage: OpenStage }): void => removeStage(job.stage),

  /** Removes all that a directory holds, under the marker, and counts what went. */
  clearDirectory: (job: { directory: OpenedDirectory }, checkpoint: Checkpoint): Totals => {
    const removed = { fileCount: 0, bytes: 0 };
    setMarker(job.directory.fd);
    emptyDirectory(job.directory.fd, removed, checkpoint, (name) => name === notLoadedMarker);
    clearMarker(job.directory.fd);
    return removed;
  },

  requireSpace: (job: { fd: number; place: string; bytes: number; fileCount: number }): void =>
    requireSpace(pathOfHandle(job.fd), job.place, job.bytes, job.fileCount),

  openSource: (job: { place: AllowedPath }): CopySource => openSource(job.place),

  listSource: (job: { source: CopySource }): CopyItem[] => listSource(job.source),

  copyItems: (job: Parameters<typeof copyItems>[0], checkpoint: Checkpoint): Totals =>
    copyItems(job, checkpoint),

  /** Gives the one file of a stage its name in the directory that the stage lies in. */
  publishFile: (job: { stage: OpenStage; name: string }): void => publishFile(job.stage, job.name),
};

export type Jobs = typeof jobs;

/** A checkpoint that throws once the flag is raised. */
export function checkpointOf(flag: CancelFlag): Checkpoint {
  return () => {
    if (Atomics.load(flag, 0) !== 0) throw new CacheError("CANCELLED", "cancelled");
  };
}
