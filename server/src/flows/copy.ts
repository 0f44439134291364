import { invalidField } from "../domain/cache-error.ts";
import type { AllowedPath } from "../local/allowed-dirs.ts";
import type { CopyItem, CopyJob, CopySource } from "../local/copy-tree.ts";
import type { LocalWork } from "../local/port.ts";
import type { Flow, Progress } from "../transfers/state.ts";
import type { FlowContext } from "./context.ts";
import { type LocalDirectory, openOrMakeLocal, openStage, type Stage } from "./held-directories.ts";

/** A copy whose request was found to be sound. */
export interface CopyTarget {
  readonly source: AllowedPath;
  readonly destination: AllowedPath;
}

const batchBytes = 32 * 1024 * 1024;
const batchItems = 512;

/**
 * A file or directory to another place: staged there, then visible in one step. Who works there must be
 * able to read the source, too.
 */
export async function* copy(context: FlowContext, target: CopyTarget, signal: AbortSignal): Flow {
  yield { phase: "CHECKING" };
  const { workers } = context;
  const { kind, fd } = await workers.under(signal).openSource(target.source);
  workers.closeDescriptors(fd);
  if (kind === "file") yield* copyFile(context, target, signal);
  else yield* copyDirectory(context, target, signal);
  return undefined;
}

async function* copyDirectory(
  { workers }: FlowContext,
  { source, destination }: CopyTarget,
  signal: AbortSignal,
): AsyncGenerator<Progress, void> {
  await using directory = await openOrMakeLocal(workers, destination, signal);
  if (directory.opened.holdsFiles)
    throw invalidField("destination", `${destination.path} already holds files`);
  await using stage = await openStage(directory, signal);
  yield* copyInto(directory, stage, { source, kind: "directory", asName: "" }, signal);
  await stage.publish({ overwrite: false, exact: false });
  directory.keep();
}

async function* copyFile(
  { workers }: FlowContext,
  { source, destination }: CopyTarget,
  signal: AbortSignal,
): AsyncGenerator<Progress, void> {
  const name = destination.below.at(-1);
  if (name === undefined)
    throw invalidField(
      "destination",
      `${destination.path} is a directory, and the source is a file`,
    );
  const above = { ...destination, below: destination.below.slice(0, -1) };
  await using directory = await openOrMakeLocal(workers, above, signal);
  await using stage = await openStage(directory, signal, { inside: true });
  yield* copyInto(directory, stage, { source, kind: "file", asName: name }, signal);
  await stage.publishFile(name);
  directory.keep();
}

/** What is copied: a source, and the name that it gets in a stage. */
interface Copied {
  readonly source: AllowedPath;
  readonly kind: CopySource["kind"];
  readonly asName: string;
}

/** Copies all of a source into a stage. */
async function* copyInto(
  { workers, opened: { path: shownAs } }: LocalDirectory,
  stage: Stage,
  { source: path, kind, asName }: Copied,
  signal: AbortSignal,
): AsyncGenerator<Progress, void> {
  const work = workers.under(signal);
  const source = await work.openSource(path);
  try {
    if (source.kind !== kind) throw invalidField("source", `${path.path} is no longer a ${kind}`);
    yield* copyItemsOf(work, stage, { source, shownAs, asName }, signal);
  } finally {
    workers.closeDescriptors(source.fd);
  }
}

async function* copyItemsOf(
  work: LocalWork,
  stage: Stage,
  what: Pick<CopyJob, "source" | "shownAs" | "asName">,
  signal: AbortSignal,
): AsyncGenerator<Progress, void> {
  const { source, shownAs } = what;
  const items = await work.listSource(source);
  const files = items.filter((item) => !item.directory);
  const bytesTotal = files.reduce((sum, item) => sum + item.bytes, 0);
  await work.requireSpace({ fd: stage.fd, shownAs, bytes: bytesTotal, fileCount: items.length });
  let bytesDone = 0;
  let filesDone = 0;
  yield { phase: "COPYING", bytesTotal, filesTotal: files.length };
  for (const batch of batches(items)) {
    const copied = await work.copyItems({ ...what, items: batch, stageFd: stage.fd });
    bytesDone += copied.bytes;
    filesDone += copied.fileCount;
    yield { bytesDone, filesDone };
  }
  yield { phase: "COMMITTING" };
  signal.throwIfAborted();
}

function* batches(items: readonly CopyItem[]): Generator<CopyItem[]> {
  let batch: CopyItem[] = [];
  let bytes = 0;
  for (const item of items) {
    batch.push(item);
    bytes += item.bytes;
    if (bytes < batchBytes && batch.length < batchItems) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
