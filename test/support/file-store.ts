import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createFileStore } from "../../server/src/store/file/store.ts";
import { openStore } from "../../server/src/store/open-store.ts";
import type { CommitMode, Store } from "../../server/src/store/store.ts";
import { type LogLine, recordingLogger } from "./recording-logger.ts";
import { wholly } from "./wholly.ts";

/** Opens the file store at a path, whose last component is made if need be. */
export function openFileStore(path: string): Promise<Store> {
  return openStore({ kind: "file", path }, recordingLogger([]));
}

/** The archive that tests of the file store write and read where they name none. */
export const archiveName = {
  namespace: "tested",
  filename: "cache_0123456789ab.latest.tar.zst",
};

export function temporaryDirectory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-test-"));
  t.after(() => rmSync(dir, wholly));
  return dir;
}

/** A file store without anything in it, the folder where it keeps the archive, and what it logs. */
export async function freshStore(t: TestContext, root = join(temporaryDirectory(t), "store")) {
  const lines: LogLine[] = [];
  const store = await createFileStore(root, recordingLogger(lines));
  return { store, root, folder: join(root, archiveName.namespace), lines };
}

/** One that knows what its file system can do. */
export async function probedStore(t: TestContext) {
  const fresh = await freshStore(t);
  await (await fresh.store.create(archiveName)).abort();
  return fresh;
}

/** Writes the archive and commits it. */
export async function put(
  store: Store,
  content: string | Buffer,
  mode: CommitMode = "create",
  name = archiveName,
) {
  const writer = await store.create(name);
  try {
    await writer.write(Buffer.from(content as string));
    return await writer.commit(mode);
  } finally {
    await writer.abort();
  }
}

/** What the archive holds, and its version; nothing if there is none. */
export async function lookIn(store: Store): Promise<{ content?: string; version?: string }> {
  await using reader = await store.open(archiveName);
  if (!reader) return {};
  const content = (await reader.read(0, reader.bytes)).toString();
  return { content, version: reader.version };
}

export async function contentOf(store: Store): Promise<string | undefined> {
  return (await lookIn(store)).content;
}
