import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isB10ArchiveName } from "../../domain/b10-archive.ts";
import type { Logger } from "../../domain/logger.ts";
import type { B10Archives, B10Place } from "../store.ts";
import { createFileStoreContext } from "./mount/context.ts";
import { openFileArchive } from "./reader.ts";

/** The archives that b10-transfer keeps at the top of a directory. */
export function openB10Archives({ directory, isNamed }: B10Place, logger: Logger): B10Archives {
  const context = createFileStoreContext(directory, logger);
  const { call } = context;
  return {
    ...{ directory, isNamed },
    list: (signal) =>
      call(async () => (await readdir(directory)).filter(isB10ArchiveName).sort(), { signal }),
    open: (name, signal) =>
      call(() => openFileArchive(context, name, join(directory, name.filename)), {
        signal,
        discard: (late) => late?.[Symbol.asyncDispose](),
      }),
  };
}
