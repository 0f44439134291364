import { invalidField } from "../domain/cache-error.ts";
import type { AllowedPath } from "../local/allowed-dirs.ts";
import type { CopyItem, CopySource } from "../local/copy-tree.ts";
import type { Flow, Progress } from "../transfers/state.ts";
import type { FlowContext } from "./context.ts";
import { closeWithoutWaiting, openOrMakeLocal, openStage, type Stage } from "./held-directories.ts";

/** A copy whose request was found to be sound. */
export interface CopyTarget {
  readonly source: AllowedPath;
  readonly destination: AllowedPath;
}

const batchBytes = 32 * 1024 * 1024;
const batchItems = 512;

/** A file or directory to another place: staged there, then visible in one step. */
export async function* copy(context: FlowContext, target: CopyTarget, signal: AbortSignal): Flow {
  yield { phase: "CHECKING" };
  const source = await context.workers.under(signal).openSource(target.source);
  try {
    if (source.kind === "file") yield* copyFile(context, source, target.destination, signal);
    else yield* copyDirectory(context, source, target.destination, signal);
    return undefined;
  } finally {
    closeWithoutWaiting(source.fd);
  }
}

async function* copyDirectory(
  { workers }: FlowContext,
  source: CopySource,
  destination: AllowedPath,
  signal: AbortSignal,
): AsyncGenerator<Progress, void> {
  await using directory = await openOrMakeLocal(workers, destination, signal);
  if (directory.opened.holdsFiles)
    throw invalidField("destination", `${destination.path} already holds files`);
  await using stage = await openStage(workers, directory.opened, signal);
  yield* copyInto(stage, { workers, source, shownAs: directory.opened.path, asName: "" }, signal);
  await stage.publish({ overwrite: false, exact: false });
  directory.keep();
}

async function* copyFile(
  { workers }: FlowContext,
  source: CopySource,
  destination: AllowedPath,
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
  await using stage = await openStage(workers, directory.opened, signal, { inside: true });
  yield* copyInto(stage, { workers, source, shownAs: directory.opened.path, asName: name }, signal);
  await stage.publishFile(name);
  directory.keep();
}

/** Copies all of a source into a stage. */
async function* copyInto(
  stage: Stage,
  {
    workers,
    ...what
  }: Pick<FlowContext, "workers"> & {
    source: CopySource;
    shownAs: string;
    asName: string;
  },
  signal: AbortSignal,
): AsyncGenerator<Progress, void> {
  const work = workers.under(signal);
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
