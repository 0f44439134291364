import { type BigIntStats, constants } from "node:fs";
import * as fs from "node:fs/promises";
import {
  type ArchiveName,
  type ArchiveReader,
  ArchiveReplaced,
  ArchiveUnreadable,
} from "../store.ts";
import { findNewest, isSameVersion, versionOf } from "./generations.ts";
import type { FileStoreContext } from "./mount/context.ts";
import { isStaleHandle, lookAgainIfStale } from "./mount/nfs-looks.ts";
import { liesAt } from "./place.ts";

/** Not through a link, if one took the name since it was looked at. */
const readable = constants.O_RDONLY | constants.O_NOFOLLOW;

/** Opens the newest file of the archive `target`; undefined if there is none. `judge` throws for one to refuse. */
export async function openFileArchive(
  { root, call }: FileStoreContext,
  name: ArchiveName,
  target: string,
  judge: (stat: BigIntStats) => void = () => {},
): Promise<ArchiveReader | undefined> {
  const opened = await lookAgainIfStale(() => openNewest(root, target, judge));
  if (!opened) {
    await fs.access(root);
    return undefined;
  }
  const { file, stat } = opened;
  const bytes = Number(stat.size);
  const version = versionOf(stat);
  const isItself = (now: string) => isSameVersion(now, version, { links: false });
  /** Whether the archive's name has another file, or none; false if that cannot be told. */
  const isReplaced = () =>
    findNewest(target).then(
      (newest) => newest === undefined || !isItself(newest.version),
      () => false,
    );
  const readInto = async (buffer: Buffer, done: number, offset: number) => {
    try {
      const read = await file.read(buffer, done, buffer.length - done, offset + done);
      // A mount of an object store may read what has the name by now.
      if (isItself(versionOf(await file.stat({ bigint: true })))) return read;
    } catch (error) {
      // An open file on a local disk stays readable; a server may no longer have it.
      if (isStaleHandle(error) || (await isReplaced())) throw new ArchiveReplaced(root, error);
      throw error;
    }
    throw new ArchiveReplaced(root, undefined);
  };
  return {
    ...name,
    bytes,
    modifiedAt: stat.mtime,
    version,
    async read(offset, length, signal) {
      const buffer = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, bytes - offset)));
      for (let done = 0; done < buffer.length; ) {
        const { bytesRead } = await call(() => readInto(buffer, done, offset), { signal });
        if (bytesRead === 0) return buffer.subarray(0, done);
        done += bytesRead;
      }
      return buffer;
    },
    async [Symbol.asyncDispose]() {
      // A mount that hangs may delay this, and there is no need to wait.
      file.close().catch(() => {});
    },
  };
}

async function openNewest(
  root: string,
  target: string,
  judge: (stat: BigIntStats) => void,
): Promise<{ file: fs.FileHandle; stat: BigIntStats } | undefined> {
  const newest = await findNewest(target);
  if (!newest) return undefined;
  const file = await openToRead(newest.path);
  try {
    await requirePlace(file, root, newest.path);
    const stat = await file.stat({ bigint: true });
    judge(stat);
    return { file, stat };
  } catch (error) {
    file.close().catch(() => {});
    throw error;
  }
}

async function requirePlace(file: fs.FileHandle, root: string, path: string): Promise<void> {
  if (!(await liesAt(file, root, path)))
    throw new ArchiveUnreadable(
      `${path} is reached through a link, which the store does not follow`,
    );
}

/** Waits for a file server's lease to end, but not for somebody who writes to a FIFO. */
function openToRead(path: string): Promise<fs.FileHandle> {
  return fs.open(path, readable | constants.O_NONBLOCK).catch((error) => {
    if (error.code !== "EAGAIN") throw error;
    return fs.open(path, readable);
  });
}
