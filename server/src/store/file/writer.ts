import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CacheError } from "../../domain/cache-error.ts";
import type { ArchiveWriter, CommitMode } from "../store.ts";
import { findNewest, replaceAny, replaceVersion } from "./generations.ts";
import type { Abilities } from "./mount/abilities.ts";
import type { FileStoreContext } from "./mount/context.ts";
import { syncDirectory, syncIfPossible } from "./mount/durable-directory.ts";
import { hiddenPath } from "./mount/hidden-files.ts";
import { linkIfFree, openErrors, renameOver } from "./naming.ts";
import { liesAt } from "./place.ts";

/** Writing and making durable may rightly take longer than a look. */
const timeoutMs = 120_000;

/** How long to wait for an unfinished file to close: a cancel answers within a second. */
const closeTimeoutMs = 300;

export interface FileArchiveWriter extends ArchiveWriter {
  /** When its file was made, by the file system's clock. */
  readonly createdAtMs: number;
}

/**
 * A writer of the archive that will be the file `target`: a hidden file beside it until the commit,
 * with the mode that umask, or the directory's default ACL, leaves it.
 */
export async function createFileArchiveWriter(
  { root, call, abilitiesAt }: FileStoreContext,
  target: string,
): Promise<FileArchiveWriter> {
  const partial = hiddenPath(target, "partial");
  const file = await fs.open(partial, "wx", 0o666);
  const [{ ctimeMs: createdAtMs }, abilities] = await (async () => {
    if (!(await liesAt(file, root, partial)))
      throw new CacheError(
        "STORE_UNAVAILABLE",
        `${dirname(target)} is a link by now, which the store does not follow`,
      );
    const stat = await file.stat();
    return [stat, await abilitiesAt(stat.dev, target)] as const;
  })().catch(async (error) => {
    file.close().catch(() => {});
    await fs.rm(partial, { force: true });
    throw error;
  });
  let bytesWritten = 0;
  let finished = false;

  return {
    createdAtMs,
    get bytesWritten() {
      return bytesWritten;
    },
    async write(chunk, signal) {
      for (let done = 0; done < chunk.length; ) {
        const { bytesWritten: written } = await call(
          () => file.write(chunk, done, chunk.length - done, bytesWritten),
          { signal, timeoutMs },
        );
        done += written;
        bytesWritten += written;
      }
    },
    async commit(mode, signal) {
      await call(() => syncIfPossible(file), { signal, timeoutMs });
      // Some file systems write only now, or cannot rename a file that is open.
      await call(() => file.close(), { signal, timeoutMs });
      // No signal from here on: a caller must not take for undone what is done.
      const result = await call(
        async () => {
          const published = await publish(partial, target, mode, abilities);
          await syncDirectory(dirname(target));
          return published;
        },
        { timeoutMs },
      );
      finished = true;
      return result;
    },
    async abort() {
      if (finished) return;
      finished = true;
      // A file that is removed while it is open keeps its space: an NFS client gives it another name.
      await Promise.race([
        file.close().catch(() => {}),
        sleep(closeTimeoutMs, undefined, { ref: false }),
      ]);
      await call(() => fs.rm(partial, { force: true }), { timeoutMs }).catch(() => {});
    },
  };
}

async function publish(
  partial: string,
  target: string,
  mode: CommitMode,
  abilities: Abilities,
): Promise<"committed" | "exists"> {
  const naming = { abilities, rename: () => rename(partial, target, abilities) };
  const result = await (mode === "replace"
    ? replaceAny(partial, target, naming).then(() => "committed" as const)
    : mode === "create"
      ? linkFirst(partial, target, naming)
      : replaceVersion(partial, target, mode.replaces, naming));
  // If that fails, the file is swept later: what is done must not be taken for undone.
  await fs.rm(partial, { force: true }).catch(() => {});
  return result;
}

/** Gives the file its name unless there is such an archive. */
async function linkFirst(
  partial: string,
  target: string,
  { abilities, rename }: { abilities: Abilities; rename: () => Promise<void> },
): Promise<"committed" | "exists"> {
  if (await findNewest(target)) return "exists";
  if (abilities.links)
    return (await linkIfFree(partial, target)) === "linked" ? "committed" : "exists";
  await rename();
  return "committed";
}

/** Gives the file its name, and takes that from any other. On NFS this may fail after it was done. */
async function rename(
  partial: string,
  target: string,
  { replaces, links }: Abilities,
): Promise<void> {
  if (!links) await makeNewer(partial, target);
  const { size, mtimeMs } = await fs.stat(partial);
  try {
    await (links ? renameOver(partial, target) : renameOver(partial, target, openErrors));
  } catch (error) {
    const there = await fs.stat(target).catch(() => undefined);
    const isOurs = there?.size === size && there.mtimeMs === mtimeMs;
    if (isOurs && !(await exists(partial))) return;
    if (there && !replaces) throw cannotReplace(target, error);
    throw error;
  }
}

/**
 * Without links a file is told apart from those that had its name before by size and time alone, and the
 * clock of some file systems ticks every second.
 */
async function makeNewer(partial: string, target: string): Promise<void> {
  const before = await fs.stat(target).catch(() => undefined);
  if (!before || (await fs.stat(partial)).mtimeMs > before.mtimeMs) return;
  const seconds = Math.floor(before.mtimeMs / 1000) + 1;
  await fs.utimes(partial, seconds, seconds).catch(() => {});
}

function cannotReplace(target: string, cause: unknown): CacheError {
  return new CacheError(
    "STORE_UNAVAILABLE",
    `the file system of ${target} cannot replace a file in one step: delete this cache before you save it again`,
    { cause },
  );
}

async function exists(path: string): Promise<boolean> {
  return fs.stat(path).then(
    () => true,
    (error) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
}
