import * as fs from "node:fs";
import { invalidField } from "../domain/cache-error.ts";
import type { AllowedPath } from "../local/allowed-dirs.ts";
import type { CopyItem, CopySource } from "../local/copy-tree.ts";
import type { OpenedDirectory } from "../local/open-directory.ts";
import type { Flow, Progress } from "../transfers/state.ts";
import type { FlowContext } from "./context.ts";
import { type Stage, withDirectory, withStage } from "./local-work.ts";

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
  const source = await context.backgroundPool.run("openSource", { place: target.source }, signal);
  try {
    if (source.kind === "file") yield* copyFile(context, source, target.destination, signal);
    else yield* copyDirectory(context, source, target.destination, signal);
    return undefined;
  } finally {
    fs.close(source.fd, () => {});
  }
}

async function* copyDirectory(
  context: FlowContext,
  source: CopySource,
  destination: AllowedPath,
  signal: AbortSignal,
): AsyncGenerator<Progress, void> {
  const pool = context.backgroundPool;
  yield* withDirectory(pool, destination, { create: true }, signal, async function* (opened) {
    const directory = opened as OpenedDirectory;
    if (directory.holdsFiles)
      throw invalidField("destination", `${destination.path} already holds files`);
    yield* withStage(pool, directory, signal, async function* (stage): AsyncGenerator<
      Progress,
      void
    > {
      yield* copyInto(context, source, stage, directory, signal);
      await stage.publish({ overwrite: false, exact: false });
    });
  });
}

async function* copyFile(
  context: FlowContext,
  source: CopySource,
  destination: AllowedPath,
  signal: AbortSignal,
): AsyncGenerator<Progress, void> {
  const pool = context.backgroundPool;
  const name = destination.below.at(-1);
  if (name === undefined)
    throw invalidField(
      "destination",
      `${destination.path} is a directory, and the source is a file`,
    );
  const above = {
    ...destination,
    below: destination.below.slice(0, -1),
  };
  yield* withDirectory(pool, above, { create: true }, signal, async function* (opened) {
    const directory = opened as OpenedDirectory;
    yield* withStage(
      pool,
      directory,
      signal,
      async function* (stage): AsyncGenerator<Progress, void> {
        yield* copyInto(context, source, stage, directory, signal, name);
        await stage.publishFile(name);
      },
      { inside: true },
    );
  });
}

async function* copyInto(
  { backgroundPool: pool }: FlowContext,
  source: CopySource,
  stage: Stage,
  directory: OpenedDirectory,
  signal: AbortSignal,
  asName = "",
): AsyncGenerator<Progress, void> {
  const items = await pool.run("listSource", { source }, signal);
  const files = items.filter((item) => !item.directory);
  const bytesTotal = files.reduce((sum, item) => sum + item.bytes, 0);
  const place = directory.path;
  await pool.run(
    "requireSpace",
    { fd: stage.fd, place, bytes: bytesTotal, fileCount: items.length },
    signal,
  );
  let bytesDone = 0;
  let filesDone = 0;
  yield { phase: "COPYING", bytesTotal, filesTotal: files.length };
  for (const batch of batches(items)) {
    const job = { source, items: batch, stageFd: stage.fd, asName, place };
    const copied = await pool.run("copyItems", job, signal);
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
