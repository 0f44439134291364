import { randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ArchiveWriter, CommitMode } from "../store.ts";
import { syncDirectory } from "./durable-directory.ts";
import { findNewest, replaceAny, replaceVersion } from "./generations.ts";
import { hasNoHardLinks, isLinkedTwice, type Link } from "./hard-links.ts";
import { renameOver } from "./rename-over.ts";
import type { FileStorePlace } from "./store.ts";
import { toStoreError } from "./store-error.ts";

const partialName = /^\.cache_[0-9a-f]{12}\.latest\.tar\.(zst|gz)\.[0-9a-f]{12}\.partial$/;
const abandonedAfterMs = 3_600_000;

/** Writing and making durable may rightly take longer than a look. */
const writeTimeoutMs = 120_000;

/** How long a file that is given up is waited for: a cancel answers within a second, whatever hangs. */
const closeTimeoutMs = 300;

/** A writer of an archive that is a file: a hidden one beside `target`, until it is committed. */
export async function createFileArchiveWriter(
  { root, gate, link }: FileStorePlace,
  target: string,
): Promise<ArchiveWriter & { readonly createdAtMs: number }> {
  const directory = dirname(target);
  const filename = target.slice(directory.length + 1);
  const partial = join(directory, `.${filename}.${randomBytes(6).toString("hex")}.partial`);
  const file = await fs.open(partial, "wx", 0o644);
  // A hung mount may keep a close waiting; nobody has to wait with it.
  const close = () => file.close().catch(() => {});
  const { ctimeMs: createdAtMs } = await file.stat().catch(async (error) => {
    void close();
    await fs.rm(partial, { force: true });
    throw error;
  });
  let bytesWritten = 0;
  let finished = false;

  const call = async <T>(body: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    try {
      return await gate.run(body, { signal, timeoutMs: writeTimeoutMs });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw toStoreError(error, root);
    }
  };

  return {
    createdAtMs,
    get bytesWritten() {
      return bytesWritten;
    },
    async write(chunk, signal) {
      for (let done = 0; done < chunk.length; ) {
        const { bytesWritten: written } = await call(
          () => file.write(chunk, done, chunk.length - done, bytesWritten),
          signal,
        );
        done += written;
        bytesWritten += written;
      }
    },
    async commit(mode, signal) {
      await call(() => file.sync(), signal);
      // From here on the commit runs to its end: nobody may think it undone while it is done.
      const result = await call(async () => {
        const published = await publish(file, partial, target, mode, link);
        await syncDirectory(directory);
        return published;
      });
      finished = true;
      void close();
      return result;
    },
    async abort() {
      if (finished) return;
      finished = true;
      // An NFS client keeps a file that is removed while it is open, and with it the space that it takes.
      await Promise.race([close(), sleep(closeTimeoutMs, undefined, { ref: false })]);
      await call(() => fs.rm(partial, { force: true })).catch(() => {});
    },
  };
}

async function publish(
  file: fs.FileHandle,
  partial: string,
  target: string,
  mode: CommitMode,
  link: Link,
): Promise<"committed" | "exists"> {
  if (mode === "replace") {
    await replaceAny(partial, target, () => rename(file, partial, target));
    return "committed";
  }
  const result =
    mode === "create"
      ? await linkFirst(file, partial, target, link)
      : await replaceVersion(partial, target, mode.replaces, link);
  // If that fails it is swept later: nobody may think undone what is done.
  await fs.rm(partial, { force: true }).catch(() => {});
  return result;
}

/** Gives the file its name unless there is such an archive. */
async function linkFirst(
  file: fs.FileHandle,
  partial: string,
  target: string,
  link: Link,
): Promise<"committed" | "exists"> {
  if (await findNewest(target)) return "exists";
  try {
    await link(partial, target);
  } catch (error) {
    if (await isLinkedTwice(partial)) return "committed";
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return "exists";
    if (!hasNoHardLinks(error)) throw error;
    if (await exists(target)) return "exists";
    await rename(file, partial, target);
  }
  return "committed";
}

/** Gives the file its name, whatever has it. On NFS it may fail after it was done. */
async function rename(file: fs.FileHandle, partial: string, target: string): Promise<void> {
  const { ino } = await file.stat();
  try {
    await renameOver(partial, target);
  } catch (error) {
    const there = await fs.stat(target).catch(() => undefined);
    if (there?.ino !== ino || (await exists(partial))) throw error;
  }
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

/**
 * Removes unfinished files that nobody has written to for an hour, by the file system's clock: by the
 * time of change, which only it sets. (NFSv3 makes a file with a modification time that means nothing,
 * for a moment.) What cannot be removed, such as another user's, stays and hinders nobody.
 */
export async function sweepPartials(directory: string, nowMs: number): Promise<void> {
  for (const name of await fs.readdir(directory).catch(() => [])) {
    if (!partialName.test(name)) continue;
    const path = join(directory, name);
    const stat = await fs.stat(path).catch(() => undefined);
    if (stat && nowMs - stat.ctimeMs > abandonedAfterMs)
      await fs.rm(path, { force: true }).catch(() => {});
  }
}
