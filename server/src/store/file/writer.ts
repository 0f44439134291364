import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ArchiveWriter, CommitMode } from "../store.ts";
import type { FileStoreContext } from "./context.ts";
import { syncDirectory } from "./durable-directory.ts";
import { findNewest, replaceAny, replaceVersion } from "./generations.ts";
import { hiddenPath } from "./hidden-files.ts";
import { hasNoHardLinks, isLinkedTwice, type Link, renameOver } from "./naming.ts";

/** Writing and making durable may rightly take longer than a look. */
const timeoutMs = 120_000;

/** How long to wait for an unfinished file to close: a cancel answers within a second. */
const closeTimeoutMs = 300;

export interface FileArchiveWriter extends ArchiveWriter {
  /** When its file was made, by the file system's clock. */
  readonly createdAtMs: number;
}

/** A writer of the archive that will be the file `target`: a hidden file beside it until the commit. */
export async function createFileArchiveWriter(
  { call, link }: FileStoreContext,
  target: string,
): Promise<FileArchiveWriter> {
  const partial = hiddenPath(target, "partial");
  const file = await fs.open(partial, "wx", 0o644);
  // A mount that hangs may delay this, and there is no need to wait.
  const close = () => file.close().catch(() => {});
  const { ctimeMs: createdAtMs } = await file.stat().catch(async (error) => {
    void close();
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
      await call(() => file.sync(), { signal, timeoutMs });
      // No signal from here on: a caller must not take for undone what is done.
      const result = await call(
        async () => {
          const published = await publish(file, partial, target, mode, link);
          await syncDirectory(dirname(target));
          return published;
        },
        { timeoutMs },
      );
      finished = true;
      void close();
      return result;
    },
    async abort() {
      if (finished) return;
      finished = true;
      // A file that is removed while it is open keeps its space: an NFS client gives it another name.
      await Promise.race([close(), sleep(closeTimeoutMs, undefined, { ref: false })]);
      await call(() => fs.rm(partial, { force: true }), { timeoutMs }).catch(() => {});
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
  // If that fails, the file is swept later: what is done must not be taken for undone.
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

/** Gives the file its name, and takes that from any other. On NFS this may fail after it was done. */
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
