import { randomBytes } from "node:crypto";
import type { BigIntStats } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { isNamespace, parseArchiveFilename } from "../../domain/cache-id.ts";
import type { Logger } from "../../domain/logger.ts";
import { type ArchiveName, type ArchiveReader, ArchiveReplaced, type Store } from "../store.ts";
import { type CallGate, createCallGate } from "./call-gate.ts";
import { makeDurableDirectory, syncDirectory } from "./durable-directory.ts";
import { refreshNames } from "./fresh-names.ts";
import { findNewest, removeNumbered, removeNumberedVersion, versionOf } from "./generations.ts";
import { createLink, type Link } from "./hard-links.ts";
import { createRootCheck } from "./root-check.ts";
import { isStaleHandle, lookAgainIfStale } from "./stale-look.ts";
import { toStoreError } from "./store-error.ts";
import { createFileArchiveWriter, sweepPartials } from "./writer.ts";

/** Threads that calls on the store's mount may hold at once, of the UV_THREADPOOL_SIZE there are. */
const slots = 6;
const callTimeoutMs = 30_000;

const withoutHardLinks = "has no hard links: of several savers at once the last one wins";

/** What the parts of the file store share. */
export interface FileStorePlace {
  readonly root: string;
  readonly gate: CallGate;
  readonly link: Link;
}

/**
 * A store in a directory that machines share: `<root>/<namespace>/<filename>`. The root's last
 * component is made if need be, now and never later: a root that is gone later on was unmounted.
 */
export async function createFileStore(root: string, logger?: Logger): Promise<Store> {
  const gate = createCallGate({ slots, timeoutMs: callTimeoutMs, place: `the store ${root}` });
  let lacksHardLinks = false;
  const link = createLink(() => {
    if (!lacksHardLinks) logger?.warn(`the store ${withoutHardLinks}`, { store: root });
    lacksHardLinks = true;
  });
  const place: FileStorePlace = { root, gate, link };
  const call = async <T>(
    body: () => Promise<T>,
    signal?: AbortSignal,
    discard?: (late: T) => void,
  ) => {
    try {
      return await gate.run(body, { signal, ...(discard ? { discard } : {}) });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw toStoreError(error, root);
    }
  };
  await gate.run(() => makeDurableDirectory(root)).catch(() => {});
  const checkRoot = await createRootCheck(root, gate);
  const requireRoot = async () => {
    await checkRoot();
    await refreshNames(root);
  };
  const pathOf = (name: ArchiveName) => join(root, name.namespace, name.filename);

  return {
    url: pathToFileURL(root).href,
    directory: root,
    note: () => (lacksHardLinks ? withoutHardLinks : ""),

    open: (name, signal) =>
      call(
        async () => {
          await requireRoot();
          return openArchive(place, name, pathOf(name));
        },
        signal,
        (late) => late?.close(),
      ),

    create: (name, signal) =>
      call(
        async () => {
          await requireRoot();
          const directory = dirname(pathOf(name));
          await makeDurableDirectory(directory);
          const writer = await createFileArchiveWriter(place, pathOf(name));
          await sweepPartials(directory, writer.createdAtMs);
          return writer;
        },
        signal,
        (late) => late.abort(),
      ),

    list: (namespace, signal) =>
      call(async () => {
        await requireRoot();
        const namespaces = namespace === undefined ? await listDirectory(root, true) : [namespace];
        const names: ArchiveName[] = [];
        for (const namespace of namespaces.filter(isNamespace).sort())
          for (const filename of (await listDirectory(join(root, namespace), false)).sort())
            if (parseArchiveFilename(filename)) names.push({ namespace, filename });
        return names;
      }, signal),

    remove: (name, signal) =>
      call(async () => {
        await requireRoot();
        // The numbered ones first: a delete that is cut short has deleted nothing.
        const numbered = await removeNumbered(pathOf(name));
        const named = await fs.unlink(pathOf(name)).then(
          () => true,
          (error) => {
            if (error.code === "ENOENT") return false;
            throw error;
          },
        );
        const removed = numbered || named;
        if (removed) await syncDirectory(dirname(pathOf(name)));
        return removed;
      }, signal),

    setAside: (name, version, signal) =>
      call(async () => {
        await requireRoot();
        return setAside(pathOf(name), version);
      }, signal),

    freeBytes: (signal) =>
      call(async () => {
        await requireRoot();
        const stat = await fs.statfs(root);
        return stat.bavail * stat.bsize;
      }, signal),
  };
}

async function openArchive(
  { root, gate }: FileStorePlace,
  name: ArchiveName,
  path: string,
): Promise<ArchiveReader | undefined> {
  const opened = await lookAgainIfStale(() => openNewest(path));
  if (!opened) {
    await fs.access(root);
    return undefined;
  }
  const { file, stat } = opened;
  return {
    ...name,
    bytes: Number(stat.size),
    modifiedAt: stat.mtime,
    version: versionOf(stat),
    async read(offset, length, signal) {
      const buffer = Buffer.allocUnsafeSlow(
        Math.max(0, Math.min(length, Number(stat.size) - offset)),
      );
      try {
        for (let done = 0; done < buffer.length; ) {
          const { bytesRead } = await gate.run(
            () => file.read(buffer, done, buffer.length - done, offset + done),
            { signal },
          );
          if (bytesRead === 0) return buffer.subarray(0, done);
          done += bytesRead;
        }
        return buffer;
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        if (isStaleHandle(error)) throw new ArchiveReplaced(root, error);
        throw toStoreError(error, root);
      }
    },
    async close() {
      // A hung mount may keep this waiting; nobody has to wait with it.
      file.close().catch(() => {});
    },
  };
}

async function openNewest(
  path: string,
): Promise<{ file: fs.FileHandle; stat: BigIntStats } | undefined> {
  const newest = await findNewest(path);
  if (!newest) return undefined;
  const file = await fs.open(newest.path, "r");
  try {
    return { file, stat: await file.stat({ bigint: true }) };
  } catch (error) {
    file.close().catch(() => {});
    throw error;
  }
}

async function listDirectory(path: string, directories: boolean): Promise<string[]> {
  try {
    const entries = await fs.readdir(path, { withFileTypes: true });
    return entries
      .filter((entry) => (directories ? entry.isDirectory() : entry.isFile()))
      .map((entry) => entry.name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    // A namespace may be absent; the store itself may not.
    await fs.access(dirname(path));
    if (directories) throw error;
    return [];
  }
}

/**
 * Renames a damaged archive out of the way. POSIX cannot rename "only if it is still that file", so
 * this looks before and after, and gives a good one that came between its name back.
 */
async function setAside(path: string, version: string): Promise<boolean> {
  const versionAt = async (path: string) => versionOf(await fs.stat(path, { bigint: true }));
  const newest = await findNewest(path);
  if (newest?.version !== version) return false;
  const filename = path.slice(path.lastIndexOf("/") + 1);
  const aside = join(dirname(path), `.${filename}.${randomBytes(6).toString("hex")}.damaged`);
  try {
    await fs.rename(newest.path, aside);
  } catch (error) {
    // Somebody else was faster.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  const isThatVery = (await versionAt(aside)) === version;
  if (isThatVery) await removeNumberedVersion(path, version);
  else await giveBack(aside, newest.path);
  await syncDirectory(dirname(path));
  return isThatVery;
}

async function giveBack(aside: string, path: string): Promise<void> {
  try {
    await fs.link(aside, path);
    await fs.unlink(aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") await fs.unlink(aside);
    else await fs.rename(aside, path);
  }
}
