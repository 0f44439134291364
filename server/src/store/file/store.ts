import type { Dirent } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArchiveFilename } from "../../domain/cache-id.ts";
import type { Logger } from "../../domain/logger.ts";
import { folderOfNamespace, namespaceOfFolder } from "../../domain/namespace.ts";
import type { ArchiveName, ArchiveWriter, Store } from "../store.ts";
import { removeNumbered } from "./generations.ts";
import { isNoteDue, listInventory, noteUseOf } from "./inventory.ts";
import type { GatedCallOptions } from "./mount/call-gate.ts";
import { createFileStoreContext, type FileStoreContext } from "./mount/context.ts";
import { makeDurableDirectory, syncDirectory } from "./mount/durable-directory.ts";
import { isRefusal, toFileStoreError } from "./mount/error.ts";
import { sweepHiddenFiles } from "./mount/hidden-files.ts";
import { lookAgainIfStale, refreshNames } from "./mount/nfs-looks.ts";
import { createRootCheck } from "./mount/root-check.ts";
import { openFileArchive } from "./reader.ts";
import { removeListed, setFileAside } from "./set-aside.ts";
import { createFileArchiveWriter } from "./writer.ts";

/** How a file store is opened. */
export interface FileStoreOptions {
  /** Whether its directory is made where it is not there; default: yes. */
  readonly isMade?: boolean;
}

/**
 * A store in a directory that machines share: `<root>/<folder of the namespace>/<filename>`. The root's last
 * component is made if need be, now and never later: a root that is gone later on was unmounted.
 */
export async function createFileStore(
  root: string,
  logger: Logger,
  { isMade = true }: FileStoreOptions = {},
): Promise<Store> {
  const context = createFileStoreContext(root, logger);
  const { call } = context;
  if (isMade) await call(() => makeDurableDirectory(root)).catch(() => {});
  const checkRoot = await createRootCheck(root, call);
  const pathOf = (name: ArchiveName) =>
    join(root, folderOfNamespace(name.namespace), name.filename);
  /** Each call of the store first makes sure that the root is there. */
  const callBelowRoot = <T>(body: () => Promise<T>, options: GatedCallOptions<T>) =>
    call(async () => {
      await checkRoot();
      await refreshNames(root, { followLinks: true });
      return body();
    }, options);

  return {
    url: pathToFileURL(root).href,
    directory: root,
    note: () => context.note(),
    open: (name, signal) =>
      callBelowRoot(() => openFileArchive(context, name, pathOf(name)), {
        signal,
        discard: (late) => late?.[Symbol.asyncDispose](),
      }),
    create: (name, signal) =>
      callBelowRoot(() => createWriter(context, pathOf(name)), {
        signal,
        discard: (late) => late.abort(),
      }),
    list: (namespace, signal) =>
      callBelowRoot(() => listArchives(root, namespace, logger), { signal }),
    remove: (name, signal) => callBelowRoot(() => removeArchive(pathOf(name)), { signal }),
    setAside: (name, version, signal) =>
      callBelowRoot(() => setFileAside(context, pathOf(name), version), { signal }),
    inventory: (signal) => listInventory(root, (body) => callBelowRoot(body, { signal })),
    removeFile: (file, signal) => callBelowRoot(() => removeListed(context, file), { signal }),
    async noteUse(archive, signal) {
      if (isNoteDue(archive)) await callBelowRoot(() => noteUseOf(pathOf(archive)), { signal });
    },
    freeBytes: (signal) => callBelowRoot(() => freeBytesAt(root), { signal }),
  };
}

async function createWriter(context: FileStoreContext, target: string): Promise<ArchiveWriter> {
  const directory = dirname(target);
  await makeDurableDirectory(directory);
  await refreshNames(directory);
  const writer = await createFileArchiveWriter(context, target);
  await sweepHiddenFiles(directory, writer.createdAtMs);
  return writer;
}

async function listArchives(
  root: string,
  namespace: string | undefined,
  logger: Logger,
): Promise<ArchiveName[]> {
  if (namespace !== undefined) return listNamespace(root, namespace);
  const names: ArchiveName[] = [];
  const folders = (await listDirectory(root)).filter((entry) => entry.isDirectory());
  const namespaces = folders.flatMap(({ name }) => namespaceOfFolder(name) ?? []);
  for (const namespace of namespaces.sort())
    try {
      names.push(...(await listNamespace(root, namespace)));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      logger.warn("passed over a namespace that this user may not read", {
        store: root,
        namespace,
        error: (await toFileStoreError(error, root)).message,
      });
    }
  return names;
}

async function listNamespace(root: string, namespace: string): Promise<ArchiveName[]> {
  const path = join(root, folderOfNamespace(namespace));
  await refreshNames(path);
  try {
    return (await listDirectory(path))
      .filter((entry) => entry.isFile() && parseArchiveFilename(entry.name))
      .sort(byName)
      .map(({ name }) => ({ namespace, filename: name }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    // A namespace may be absent; the store itself may not.
    await fs.access(root);
    return [];
  }
}

/**
 * Where a file system does not tell the kinds of entries in a listing, Node looks at each; one that is
 * gone by then is no reason to take the directory for absent.
 */
function listDirectory(path: string): Promise<Dirent[]> {
  return lookAgainIfStale(() => fs.readdir(path, { withFileTypes: true }));
}

const byName = (a: Dirent, b: Dirent) => (a.name < b.name ? -1 : 1);

async function removeArchive(target: string): Promise<boolean> {
  // The numbered ones first: a removal that is cut short has then removed nothing.
  const numbered = await removeNumbered(target);
  const named = await fs.unlink(target).then(
    () => true,
    (error) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
  const removed = numbered || named;
  if (removed) await syncDirectory(dirname(target));
  return removed;
}

async function freeBytesAt(path: string): Promise<number> {
  const { bavail, bsize } = await fs.statfs(path);
  return bavail * bsize;
}
