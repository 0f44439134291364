import * as fs from "node:fs";
import type { StageDirectory } from "../archive/unpack/entry-writer.ts";
import type { AllowedPath } from "../local/allowed-dirs.ts";
import type { OpenedDirectory } from "../local/open-directory.ts";
import { type OpenStage, stageHeartbeatMs, touchStage } from "../local/stage.ts";
import { pathOfHandle } from "../local/tree/pinned-directory.ts";
import type { Spared } from "../local/tree/removal.ts";
import type { Workers } from "../workers/workers.ts";
import { uncancelled } from "./context.ts";

/**
 * A local directory, open until the end of the block that holds it. One that was made for that block
 * is removed again, where the directory above is allowed, unless `keep` was called.
 */
export class LocalDirectory implements AsyncDisposable {
  readonly opened: OpenedDirectory;
  readonly #workers: Workers;
  #kept = false;

  constructor(workers: Workers, opened: OpenedDirectory) {
    this.#workers = workers;
    this.opened = opened;
  }

  /** Says that the directory holds now what it was opened for. */
  keep(): void {
    this.#kept = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { opened } = this;
    if (opened.made && !this.#kept)
      await this.#workers
        .under(uncancelled)
        .removeMadeDirectory(opened)
        .catch(() => {});
    closeWithoutWaiting(opened.fd);
    if (opened.parentFd !== undefined) closeWithoutWaiting(opened.parentFd);
  }
}

/** Opens a local directory; undefined if there is none. */
export async function openLocal(
  workers: Workers,
  path: AllowedPath,
  signal: AbortSignal,
): Promise<LocalDirectory | undefined> {
  const opened = await workers.under(signal).openDirectory(path);
  return opened && new LocalDirectory(workers, opened);
}

/** Opens a local directory and makes what is missing of it. */
export async function openOrMakeLocal(
  workers: Workers,
  path: AllowedPath,
  signal: AbortSignal,
): Promise<LocalDirectory> {
  return new LocalDirectory(workers, await workers.under(signal).openOrMakeDirectory(path));
}

/** A fresh stage, until the end of the block that holds it; what was not published goes with it. */
export class Stage implements AsyncDisposable {
  readonly #workers: Workers;
  readonly #directory: OpenedDirectory;
  readonly #stage: OpenStage;
  readonly #heartbeat: NodeJS.Timeout;

  constructor(workers: Workers, directory: OpenedDirectory, stage: OpenStage) {
    this.#workers = workers;
    this.#directory = directory;
    this.#stage = stage;
    this.#heartbeat = setInterval(() => touchStage(stage), stageHeartbeatMs).unref();
  }

  /** Where archives are unpacked. */
  get directory(): StageDirectory {
    const { path, owner } = this.#directory;
    return {
      id: this.#stage.id,
      path: pathOfHandle(this.fd),
      shownAs: path,
      ...(owner ? { owner } : {}),
    };
  }

  get fd(): number {
    return this.#stage.fd;
  }

  /** Makes what was written visible: see publishStage. Runs to its end once begun. */
  publish(options: { overwrite: boolean; exact: boolean }): Promise<Spared> {
    const job = { directory: this.#directory, stage: this.#stage, ...options };
    return this.#workers.under(uncancelled).publishStage(job);
  }

  /** Moves the stage's one file out, in place of any other: see publishFile. */
  publishFile(name: string): Promise<void> {
    return this.#workers.under(uncancelled).publishFile({ stage: this.#stage, name });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat);
    // What cannot be removed now is in no one's way, and is swept later by its age.
    await this.#workers
      .under(uncancelled)
      .removeStage(this.#stage)
      .catch(() => {});
    closeWithoutWaiting(this.fd);
  }
}

/** Makes a stage for a directory: beside it, or inside it where that is asked for or the only way. */
export async function openStage(
  workers: Workers,
  directory: OpenedDirectory,
  signal: AbortSignal,
  { inside = false } = {},
): Promise<Stage> {
  signal.throwIfAborted();
  // Once begun it is seen through: a stage that nothing holds would stay behind.
  const stage = await workers.under(uncancelled).makeStage({ directory, inside });
  return new Stage(workers, directory, stage);
}

/** Closes a descriptor without waiting: a close that fails, as on a dead mount, changes nothing. */
export function closeWithoutWaiting(fd: number): void {
  fs.close(fd, () => {});
}
