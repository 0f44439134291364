import type { StageDirectory } from "../archive/unpack/entry-writer.ts";
import type { AllowedPath } from "../local/allowed-dirs.ts";
import type { OpenedDirectory, UsersDirectory } from "../local/open-directory.ts";
import { type OpenStage, stageHeartbeatMs } from "../local/stage.ts";
import { pathOfHandle } from "../local/tree/pinned-directory.ts";
import type { Spared } from "../local/tree/removal.ts";
import { firstInheritedFd } from "../workers/user-process/messages.ts";
import type { DaemonWorkers, Workers } from "../workers/workers.ts";
import { uncancelled } from "./context.ts";

/**
 * A local directory, open until the end of the block that holds it. One that was made for that block
 * is removed again, where the directory above is allowed, unless `keep` was called.
 */
export class LocalDirectory implements AsyncDisposable {
  readonly opened: OpenedDirectory;
  /**
   * Who does the work on it: with no more rights than the directory's owner has. The descriptors of the
   * directory, and of all that is opened below it, are theirs.
   */
  readonly workers: Workers;
  readonly #closeAll: () => Promise<void>;
  #kept = false;

  constructor(opened: OpenedDirectory, workers: Workers, closeAll: () => Promise<void>) {
    this.opened = opened;
    this.workers = workers;
    this.#closeAll = closeAll;
  }

  /** Says that the directory holds now what it was opened for. */
  keep(): void {
    this.#kept = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { opened, workers } = this;
    if (opened.made && !this.#kept)
      await workers
        .under(uncancelled)
        .removeMadeDirectory(opened)
        .catch(() => {});
    await this.#closeAll();
  }
}

/** Opens a local directory; undefined if there is none. */
export function openLocal(
  workers: DaemonWorkers,
  path: AllowedPath,
  signal: AbortSignal,
): Promise<LocalDirectory | undefined> {
  return openAs(workers, path, false, signal);
}

/** Whether there is a local directory. Throws what opening it would; no process of another user is started for it. */
export async function isLocalThere(
  workers: DaemonWorkers,
  path: AllowedPath,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await workers.under(signal).openDirectory({ path, create: false });
  if (found) workers.closeDescriptors(found.fd, found.parentFd);
  return found !== undefined;
}

/** Opens a local directory and makes what is missing of it. */
export async function openOrMakeLocal(
  workers: DaemonWorkers,
  path: AllowedPath,
  signal: AbortSignal,
): Promise<LocalDirectory> {
  return (await openAs(workers, path, true, signal)) as LocalDirectory;
}

async function openAs(
  workers: DaemonWorkers,
  path: AllowedPath,
  create: boolean,
  signal: AbortSignal,
): Promise<LocalDirectory | undefined> {
  const found = await workers.under(signal).openDirectory({ path, create });
  if (!found) return undefined;
  if ("user" in found) return openAsUser(workers, path, found, signal);
  return new LocalDirectory(found, workers, async () =>
    workers.closeDescriptors(found.fd, found.parentFd),
  );
}

/** Opens the directory of another user in a process with that user's rights, which ends with the block. */
async function openAsUser(
  workers: DaemonWorkers,
  path: AllowedPath,
  { user, fd, parentFd, missing }: UsersDirectory,
  signal: AbortSignal,
): Promise<LocalDirectory> {
  const fds = parentFd === undefined ? [fd] : [fd, parentFd];
  const users = await workers
    .ofUser(user, fds, signal)
    .finally(() => workers.closeDescriptors(...fds));
  const parent = parentFd === undefined ? {} : { parentFd: firstInheritedFd + 1 };
  const found = { fd: firstInheritedFd, ...parent, missing };
  try {
    const opened = await users.under(signal).openUsersDirectory({ path, found });
    return new LocalDirectory(opened, users, () => users.close());
  } catch (error) {
    await users.close();
    throw error;
  }
}

/** A fresh stage, until the end of the block that holds it; what was not published goes with it. */
export class Stage implements AsyncDisposable {
  readonly #workers: Workers;
  readonly #directory: OpenedDirectory;
  readonly #stage: OpenStage;
  readonly #heartbeat: NodeJS.Timeout;

  constructor({ workers, opened }: LocalDirectory, stage: OpenStage) {
    this.#workers = workers;
    this.#directory = opened;
    this.#stage = stage;
    this.#heartbeat = setInterval(() => workers.touch(stage), stageHeartbeatMs).unref();
  }

  /** Where archives are unpacked. */
  get directory(): StageDirectory {
    const { path, group } = this.#directory;
    return {
      id: this.#stage.id,
      path: pathOfHandle(this.fd),
      shownAs: path,
      ...(group === undefined ? {} : { group }),
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
    this.#workers.closeDescriptors(this.fd);
  }
}

/** Makes a stage for a directory: beside it, or inside it where that is asked for or the only way. */
export async function openStage(
  directory: LocalDirectory,
  signal: AbortSignal,
  { inside = false } = {},
): Promise<Stage> {
  signal.throwIfAborted();
  // Once begun it is seen through: a stage that nothing holds would stay behind.
  const work = directory.workers.under(uncancelled);
  return new Stage(directory, await work.makeStage({ directory: directory.opened, inside }));
}
