import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { invalidField } from "../domain/cache-error.ts";
import { toLocalError } from "./local-error.ts";
import type { OpenedDirectory } from "./open-directory.ts";
import { openDirectoryAt, pathOfHandle, withDirectoryAt } from "./pinned-directory.ts";
import { notLoadedMarker, ownPrefix } from "./transient-names.ts";
import { type Checkpoint, moveInto, namesBelow, removeAt, removeOthers, statAt } from "./tree.ts";

/** A fresh directory of our own, on the file system of its target, where a load is put together. */
export interface OpenStage {
  readonly id: string;
  readonly fd: number;
  readonly name: string;
  /** The open directory that it lies in. */
  readonly insideFd: number;
}

const stagePrefix = `${ownPrefix}stage-`;

/** A live stage is touched this often; one that was not touched for a while was abandoned. */
export const stageHeartbeatMs = 5_000;
const abandonedAfterMs = 60_000;

/**
 * Makes a stage beside a directory that can be replaced whole, else (or where `inside` asks for it)
 * inside it; sweeps abandoned ones.
 */
export function makeStage(
  directory: OpenedDirectory,
  inside: boolean,
  checkpoint: Checkpoint,
): OpenStage {
  const beside = directory.replaceable && !inside;
  try {
    const stage = openStage(beside ? (directory.parentFd as number) : directory.fd);
    sweepStages(stage, checkpoint);
    return stage;
  } catch (error) {
    throw toLocalError(error, directory.path);
  }
}

function openStage(insideFd: number): OpenStage {
  const id = randomBytes(8).toString("hex");
  const name = stagePrefix + id;
  const path = `${pathOfHandle(insideFd)}/${name}`;
  fs.mkdirSync(path, 0o700);
  try {
    return { id, fd: openDirectoryAt(insideFd, name), name, insideFd };
  } catch (error) {
    fs.rmdirSync(path);
    throw error;
  }
}

// Age is the file system's: whatever time a touch sets, the time of that change is by its own clock.
// A process id would say nothing, for other containers use the same ids. What cannot be removed, such
// as another user's stage, is left, and does no harm.
function sweepStages({ fd, insideFd }: OpenStage, checkpoint: Checkpoint): void {
  const nowMs = fs.fstatSync(fd).ctimeMs;
  for (const name of fs.readdirSync(pathOfHandle(insideFd))) {
    const stat = name.startsWith(stagePrefix) ? statAt(insideFd, name) : undefined;
    if (!stat || nowMs - stat.ctimeMs <= abandonedAfterMs) continue;
    try {
      removeAt(insideFd, name, { fileCount: 0, bytes: 0 }, checkpoint);
    } catch {
      checkpoint();
    }
  }
}

/** Says that a stage is alive. */
export function touchStage(stage: OpenStage): void {
  const now = new Date();
  fs.futimes(stage.fd, now, now, () => {});
}

/** Removes a stage and all in it; one that was published whole is gone already. */
export function removeStage(stage: OpenStage): void {
  removeAt(stage.insideFd, stage.name, { fileCount: 0, bytes: 0 }, () => {});
}

/**
 * Makes a finished stage visible under its directory's name: in one step where the directory can be
 * replaced and is empty, else file by file under the marker that says "not loaded". `overwrite`
 * lets the stage's files win; `exact` then removes files that the stage did not hold.
 */
export function publishStage(
  directory: OpenedDirectory,
  stage: OpenStage,
  { overwrite, exact }: { overwrite: boolean; exact: boolean },
  checkpoint: Checkpoint,
): void {
  try {
    if (directory.replaceable && renameWhole(directory, stage)) return;
    withPresent(directory, (fd) => {
      setMarker(fd);
      const names = exact ? namesBelow(stage.fd) : undefined;
      moveInto(stage.fd, fd, overwrite, checkpoint);
      if (names) removeOthers(fd, names, checkpoint);
      clearMarker(fd);
    });
  } catch (error) {
    throw toLocalError(error, directory.path);
  }
}

// Another daemon may have put a whole stage in the place of the directory that we opened.
function withPresent({ fd, parentFd, name }: OpenedDirectory, body: (fd: number) => void): void {
  if (parentFd === undefined) body(fd);
  else withDirectoryAt(parentFd, name, body);
}

/** Gives the file `name` in a stage that name in the directory that the stage lies in, in one step. */
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
  if (directory.owner) fs.fchownSync(stage.fd, directory.owner.uid, directory.owner.gid);
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

/** Marks an open directory as not loaded. */
export function setMarker(fd: number): void {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW } = fs.constants;
  const path = `${pathOfHandle(fd)}/${notLoadedMarker}`;
  fs.closeSync(fs.openSync(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o644));
}

/** Takes the mark from an open directory. */
export function clearMarker(fd: number): void {
  fs.rmSync(`${pathOfHandle(fd)}/${notLoadedMarker}`, { force: true });
}
