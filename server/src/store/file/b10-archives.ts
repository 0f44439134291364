import type { BigIntStats } from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { isB10ArchiveName } from "../../domain/b10-archive.ts";
import type { Logger } from "../../domain/logger.ts";
import { type ArchiveName, ArchiveUnreadable, type B10Archives, type B10Place } from "../store.ts";
import { createFileStoreContext } from "./mount/context.ts";
import { openFileArchive } from "./reader.ts";

/** The archives that b10-transfer keeps at the top of a directory. */
export function openB10Archives({ directory, isNamed }: B10Place, logger: Logger): B10Archives {
  const context = createFileStoreContext(directory, logger);
  const { call } = context;
  const open = async (name: ArchiveName) => {
    const judge = isNamed ? undefined : await judgeOfOwners(directory);
    return openFileArchive(context, name, join(directory, name.filename), judge);
  };
  return {
    ...{ directory, isNamed },
    list: (signal) =>
      call(async () => (await fs.readdir(directory)).filter(isB10ArchiveName).sort(), { signal }),
    open: (name, signal) =>
      call(() => open(name), { signal, discard: (late) => late?.[Symbol.asyncDispose]() }),
  };
}

/**
 * Several users may write to the top of a store whose namespaces are those of one each, and whoever loads
 * an archive runs what is in it.
 */
async function judgeOfOwners(directory: string): Promise<(stat: BigIntStats) => void> {
  const owners = [0, process.geteuid?.(), (await fs.stat(directory)).uid];
  return ({ uid }) => {
    if (owners.includes(Number(uid))) return;
    throw new ArchiveUnreadable(
      `it is of the user ${uid}, and neither of root, of the daemon's user nor of who owns the ` +
        `directory; COMPILE_CACHE_B10_ARCHIVES=${directory} loads it nevertheless`,
    );
  };
}
