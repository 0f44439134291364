import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CacheError } from "../../../domain/cache-error.ts";
import { hiddenPath } from "./hidden-files.ts";

/** What a file system can do of what a commit would use. Every one that takes archives can rename. */
export interface Abilities {
  /**
   * A file can have a second name, and is seen to have it: the first of many savers wins. Where it
   * cannot, its number (inode) may be that of its name, so that this tells no file from another.
   */
  readonly links: boolean;
  /** A rename takes a name from the file that has it: an archive can be replaced in one step. */
  readonly replaces: boolean;
}

/** A call that fails may do so in passing; one that fails each time is one that there is not. */
const pausesMs = [0, 20, 100];

/**
 * Finds out what the file system that holds `target` can do, on two files beside it whose names are
 * hidden, and swept if this process is killed. An error says little (what one file system calls EPERM,
 * another calls EIO), so what counts is what came of each call. Throws STORE_UNAVAILABLE where files
 * cannot be renamed, and the file system's error where no file can be made.
 */
export async function probeAbilities(target: string): Promise<Abilities> {
  const first = hiddenPath(target, "partial");
  const second = hiddenPath(target, "partial");
  try {
    for (const path of [first, second]) await makeFile(path);
    const rename = { call: () => fs.rename(first, second), cameOfIt: () => isAbsent(first) };
    const refusedToReplace = await refusal(rename);
    if (refusedToReplace) {
      await fs.rm(second, { force: true });
      const refused = await refusal(rename);
      if (refused) throw cannotRename(target, refused);
    }
    const refusedToLink = await refusal({
      call: () => fs.link(second, first),
      cameOfIt: () => areLinked(second, first),
    });
    return { links: !refusedToLink, replaces: !refusedToReplace };
  } finally {
    for (const path of [first, second]) await fs.rm(path, { force: true }).catch(() => {});
  }
}

/** Tries a call, and answers why nothing comes of it; undefined once something did. */
async function refusal({
  call,
  cameOfIt,
}: {
  call: () => Promise<void>;
  cameOfIt: () => Promise<boolean>;
}): Promise<Error | undefined> {
  let failure = new Error("nothing came of it");
  for (const pauseMs of pausesMs) {
    if (pauseMs > 0) await sleep(pauseMs);
    await call().catch((error) => {
      failure = error;
    });
    if (await cameOfIt()) return undefined;
  }
  return failure;
}

async function makeFile(path: string): Promise<void> {
  const file = await fs.open(path, "wx", 0o666);
  await file.close();
}

async function isAbsent(path: string): Promise<boolean> {
  return fs.lstat(path).then(
    () => false,
    (error) => error.code === "ENOENT",
  );
}

/** Whether two names are one file's, and the file system counts them. */
async function areLinked(path: string, other: string): Promise<boolean> {
  const [one, two] = await Promise.all([
    fs.lstat(path, { bigint: true }),
    fs.lstat(other, { bigint: true }).catch(() => undefined),
  ]);
  return two !== undefined && one.ino === two.ino && one.nlink >= 2n;
}

function cannotRename(target: string, cause: Error): CacheError {
  const { code = cause.message } = cause as NodeJS.ErrnoException;
  return new CacheError(
    "STORE_UNAVAILABLE",
    `the file system of ${dirname(target)} cannot rename files (${code}), so that nothing can be saved there in one step: caches can be loaded from it; to save, mount it in another way, or name another store with COMPILE_CACHE_STORE`,
    { cause },
  );
}
