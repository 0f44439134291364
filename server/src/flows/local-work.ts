import * as fs from "node:fs";
import type { StagePlace } from "../archive/unpack/entry-writer.ts";
import type { AllowedPath } from "../local/allowed-dirs.ts";
import type { OpenedDirectory } from "../local/open-directory.ts";
import { pathOfHandle } from "../local/pinned-directory.ts";
import { stageHeartbeatMs, touchStage } from "../local/stage.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import { uncancelled } from "./context.ts";

/**
 * Runs `body` with an open local directory; undefined stands for one that is absent. One that was made
 * for a body which then fails is removed again, where the directory above is allowed.
 */
export async function* withDirectory<T, R>(
  pool: WorkerPool,
  place: AllowedPath,
  options: { create: boolean },
  signal: AbortSignal,
  body: (directory: OpenedDirectory | undefined) => AsyncGenerator<T, R>,
): AsyncGenerator<T, R> {
  const directory = await pool.run("openDirectory", { place, create: options.create }, signal);
  let succeeded = false;
  try {
    const result = yield* body(directory);
    succeeded = true;
    return result;
  } finally {
    if (directory?.made && !succeeded)
      await pool.run("removeMade", { directory }, uncancelled).catch(() => {});
    if (directory) closeDirectory(directory);
  }
}

/** Closes the descriptors of an open directory. A close that fails, as on a dead mount, is no matter. */
export function closeDirectory(directory: OpenedDirectory): void {
  fs.close(directory.fd, () => {});
  if (directory.parentFd !== undefined) fs.close(directory.parentFd, () => {});
}

/** A stage to write in. */
export interface Stage {
  readonly place: StagePlace;
  readonly fd: number;
  /** Moves its one file out, in place of any other: see publishFile. */
  publishFile(name: string): Promise<void>;
  /** Makes what was written visible: see publishStage. Runs to its end once begun. */
  publish(options: { overwrite: boolean; exact: boolean }): Promise<void>;
}

/** Runs `body` with a fresh stage for a directory; nothing of it is left unless it was published. */
export async function* withStage<T, R>(
  pool: WorkerPool,
  directory: OpenedDirectory,
  signal: AbortSignal,
  body: (stage: Stage) => AsyncGenerator<T, R>,
  { inside = false } = {},
): AsyncGenerator<T, R> {
  signal.throwIfAborted();
  const stage = await pool.run("makeStage", { directory, inside }, uncancelled);
  const heartbeat = setInterval(() => touchStage(stage), stageHeartbeatMs).unref();
  try {
    return yield* body({
      place: {
        id: stage.id,
        path: pathOfHandle(stage.fd),
        place: directory.path,
        ...(directory.owner ? { owner: directory.owner } : {}),
      },
      fd: stage.fd,
      publishFile: (name) => pool.run("publishFile", { stage, name }, uncancelled),
      publish: (options) => pool.run("publishStage", { directory, stage, ...options }, uncancelled),
    });
  } finally {
    clearInterval(heartbeat);
    // What cannot be removed now is in nobody's way, and swept later by its age.
    await pool.run("removeStage", { stage }, uncancelled).catch(() => {});
    fs.close(stage.fd, () => {});
  }
}
