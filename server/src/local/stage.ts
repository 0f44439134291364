import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { CacheError, invalidField } from "../domain/cache-error.ts";
import { requireMayEmpty } from "./never-emptied.ts";
import type { OpenedDirectory } from "./open-directory.ts";
import { namesIn, statAt } from "./tree/entries.ts";
import { toLocalError } from "./tree/local-error.ts";
import { mountsBelow } from "./tree/mounts.ts";
import { moveInto, requirePlaces } from "./tree/move-into.ts";
import { openDirectoryAt, pathAt, pathOfHandle, withDirectoryAt } from "./tree/pinned-directory.ts";
import { namesBelow, removeAt, removeFiles, type Spared } from "./tree/removal.ts";
import { notLoadedMarker, stagePrefix } from "./tree/transient-names.ts";
import type { Checkpoint } from "./tree/tree.ts";

/** A temporary directory on the file system of its target, in which a load or copy is put together. */
export interface OpenStage {
  readonly id: string;
  readonly fd: number;
  readonly name: string;
  /** The open directory that it lies in. */
  readonly insideFd: number;
}

/**
 * How often a stage in use is touched, in milliseconds; one that is not touched for a minute was
 * abandoned.
 */
export const stageHeartbeatMs = 5_000;
const abandonedAfterMs = 60_000;

/**
 * Makes a stage beside a directory that can be replaced whole, otherwise (or if `inside` asks for it)
 * inside it. Removes abandoned stages there. Throws the local directory's error.
 */
export function makeStage(
  directory: OpenedDirectory,
  inside: boolean,
  checkpoint: Checkpoint,
): OpenStage {
  const beside = directory.replaceable && !inside;
  try {
    const stage = makeStageIn(beside ? (directory.parentFd as number) : directory.fd);
    sweepStages(stage, checkpoint);
    return stage;
  } catch (error) {
    throw toLocalError(error, directory.path);
  }
}

function makeStageIn(insideFd: number): OpenStage {
  const id = randomBytes(8).toString("hex");
  const name = stagePrefix + id;
  const path = `${pathOfHandle(insideFd)}/${name}`;
  fs.mkdirSync(path, 0o700);
  let fd: number;
  try {
    fd = openDirectoryAt(insideFd, name);
  } catch (error) {
    fs.rmdirSync(path);
    throw error;
  }
  if (isFresh(fd, insideFd)) return { id, fd, name, insideFd };
  fs.closeSync(fd);
  throw new CacheError(
    "LOCAL_UNAVAILABLE",
    `another user put something in the place of ${JSON.stringify(name)}, which was just made: only who may ` +
      "load there should be able to write there",
  );
}

/**
 * Whether an open directory can be the one that was just made in another: empty, and this user's, or on
 * a mount that gives all files to one user that user's.
 */
function isFresh(fd: number, insideFd: number): boolean {
  const { uid } = fs.fstatSync(fd);
  const self = process.geteuid?.();
  const isOurs = uid === self || (self !== 0 && uid === fs.fstatSync(insideFd).uid);
  return isOurs && namesIn(fd).length === 0;
}

// Age is by ctime, which the file system's own clock sets at each touch. A process id would prove
// nothing, because other containers use the same ids. A stage that cannot be removed, such as another
// user's, stays and does no harm.
function sweepStages({ fd, insideFd }: OpenStage, checkpoint: Checkpoint): void {
  const nowMs = fs.fstatSync(fd).ctimeMs;
  for (const name of namesIn(insideFd)) {
    const isStage = typeof name === "string" && name.startsWith(stagePrefix);
    const stat = isStage ? statAt(insideFd, name) : undefined;
    if (!stat || nowMs - stat.ctimeMs <= abandonedAfterMs) continue;
    // Root's rights are for what is root's: another user's stage is swept by that user's process.
    if (process.geteuid?.() === 0 && stat.uid !== 0) continue;
    try {
      removeAt(insideFd, name, { fileCount: 0, bytes: 0 }, checkpoint);
    } catch {
      checkpoint();
    }
  }
}

/** Marks a stage as in use. Does not wait, and ignores failures. */
export function touchStage(stage: OpenStage): void {
  const now = new Date();
  fs.futimes(stage.fd, now, now, () => {});
}

/** Removes a stage and its content, unless it was published whole and so no longer exists. */
export function removeStage(stage: OpenStage): void {
  removeAt(stage.insideFd, stage.name, { fileCount: 0, bytes: 0 }, () => {});
}

/**
 * Makes a finished stage visible under its directory's name: by one rename if the directory can be
 * replaced and is empty, otherwise file by file while the directory is marked as not loaded. With
 * `overwrite`, the stage's files replace existing ones; `exact` then removes files that the stage did
 * not hold. Returns what that spared: see removeFiles. Throws PATH_NOT_ALLOWED, before anything changes,
 * if a link of the user's is where the stage has a file or directory: see requirePlaces.
 */
export function publishStage(
  directory: OpenedDirectory,
  stage: OpenStage,
  { overwrite, exact }: { overwrite: boolean; exact: boolean },
  checkpoint: Checkpoint,
): Spared {
  try {
    if (directory.replaceable && renameWhole(directory, stage)) return [];
    return withPresent(directory, (fd) => {
      const { path: shownAs } = directory;
      if (exact) requireMayEmpty({ fd, path: shownAs });
      requirePlaces(stage.fd, fd, { overwrite, shownAs }, checkpoint);
      setMarker(fd);
      const keep = exact ? namesBelow(stage.fd) : undefined;
      moveInto(stage.fd, fd, { overwrite, shownAs, mounts: mountsBelow(fd) }, checkpoint);
      const removed = keep && removeFiles(fd, { keep, transient: false, shownAs }, checkpoint);
      clearMarker(fd);
      return removed?.spared ?? [];
    });
  } catch (error) {
    throw toLocalError(error, directory.path);
  }
}

// Another daemon may have replaced the directory that we opened by a whole stage.
function withPresent<T>({ fd, parentFd, name }: OpenedDirectory, body: (fd: number) => T): T {
  return parentFd === undefined ? body(fd) : withDirectoryAt(parentFd, name, body);
}

/**
 * Moves the file `name` from a stage to the directory that the stage lies in, by one rename. Throws
 * INVALID_REQUEST if that name is a directory's.
 */
export function publishFile(stage: OpenStage, name: string): void {
  const target = `${pathOfHandle(stage.insideFd)}/${name}`;
  if (statAt(stage.insideFd, name)?.isDirectory())
    throw invalidField(
      "destination",
      `${JSON.stringify(name)} is a directory, and the source is a file`,
    );
  fs.renameSync(`${pathOfHandle(stage.fd)}/${name}`, target);
}

function renameWhole(directory: OpenedDirectory, stage: OpenStage): boolean {
  const parent = pathOfHandle(stage.insideFd);
  const stat = fs.fstatSync(directory.fd);
  fs.fchmodSync(stage.fd, stat.mode & 0o7777);
  if (directory.group !== undefined) fs.fchownSync(stage.fd, -1, directory.group);
  try {
    fs.renameSync(`${parent}/${stage.name}`, `${parent}/${directory.name}`);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code as string;
    if (!["ENOTEMPTY", "EEXIST", "EBUSY", "EXDEV", "EACCES", "EPERM"].includes(code)) throw error;
    fs.fchmodSync(stage.fd, 0o700);
    return false;
  }
}

/** Marks an open directory as not loaded. Whatever has the marker's name marks it already. */
export function setMarker(fd: number): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
  try {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    fs.closeSync(fs.openSync(pathAt(fd, notLoadedMarker), flags, 0o644));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** Removes the mark from an open directory. */
export function clearMarker(fd: number): void {
  removeAt(fd, notLoadedMarker, { fileCount: 0, bytes: 0 }, () => {});
}
