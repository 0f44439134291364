import { inOrder } from "../../async/in-order.ts";
import { malformedArchive } from "../../domain/archive-error.ts";
import type { CacheError } from "../../domain/cache-error.ts";
import type { RootPaths } from "../../domain/root-paths.ts";
import type { ArchiveReader } from "../../store/store.ts";
import type { IndexedFrame, OwnArchive } from "../format/open-archive.ts";
import { readExactly } from "../format/read-exactly.ts";
import { relocationBetween } from "../torch/relocation.ts";
import { type StageDirectory, tooManyDirectories } from "./entry-writer.ts";
import type { Unpacked } from "./foreign-unpacker.ts";
import { disagreement, type UnpackedFrame, type UnpackedPart } from "./frame-unpacker.ts";
import type { RelocateJob, UnpackJob, UnpackWork } from "./port.ts";
import type { UnpackLimits } from "./tar-entries.ts";

const foreignChunkBytes = 1024 * 1024;
/** What one thread unpacks in less time than another takes to start. */
const mostBytesOfOneThread = 4 * 1024 * 1024;

/**
 * Unpacks an archive in our own format into a stage, frame by frame on all threads, a small one on one. Verifies every
 * byte, and that the totals are the manifest's. Yields the totals so far. Holds at most `work.threads +
 * 1` fetched frames. Throws ARCHIVE_CORRUPT, ARCHIVE_UNSAFE or INSUFFICIENT_SPACE.
 */
export async function* unpackOwn(options: {
  archive: OwnArchive;
  stage: StageDirectory;
  /** The local directory that the stage becomes. */
  localDir: RootPaths;
  limits: UnpackLimits;
  work: UnpackWork;
  signal: AbortSignal;
}): AsyncGenerator<Unpacked, Unpacked> {
  const { archive, stage, localDir, limits, work, signal } = options;
  const frames = await archive.readIndex(signal);
  const isSmall = archive.contentBytes <= mostBytesOfOneThread;
  let before: Promise<unknown> = Promise.resolve();
  const unpackFrame = (job: UnpackJob): Promise<UnpackedFrame> => {
    if (!isSmall) return work.unpackFrame(job);
    const unpacked = before.then(() => work.unpackFrame(job));
    before = unpacked;
    return unpacked;
  };
  const unpack = async (indexed: IndexedFrame) => {
    const frame = await archive.readFrame(indexed, signal);
    // A copy: sending a view to another thread would send the whole buffer behind it.
    const section = new Uint8Array(indexed.section);
    const { sha256, contentBytes, superseded, savedFrom = localDir } = indexed;
    const relocation = relocationBetween(savedFrom, localDir);
    const fetched = { frame, section, sha256, contentBytes, superseded, relocation };
    const { toRelocate, ...unpacked } = await unpackFrame({ stage, fetched, limits });
    return { ...unpacked, toRelocate: toRelocate.map((name) => ({ stage, name, relocation })) };
  };
  const toRelocate: RelocateJob[] = [];
  const spanning = new SpanningFiles();
  let ended = false;
  let fileCount = 0;
  let bytes = 0;
  let directoryCount = 0;
  for await (const unpacked of inOrder(frames, work.threads + 1, unpack)) {
    if (ended) throw disagreement();
    ended = unpacked.ends;
    fileCount += unpacked.fileCount;
    bytes += unpacked.bytes;
    directoryCount += unpacked.directoryCount;
    if (directoryCount > limits.maxFileCount) throw tooManyDirectories(limits);
    if (fileCount > archive.fileCount || bytes > archive.contentBytes) throw wrongTotals();
    spanning.add(unpacked.parts);
    toRelocate.push(...unpacked.toRelocate);
    yield { fileCount, bytes };
  }
  if (fileCount !== archive.fileCount || bytes !== archive.contentBytes) throw wrongTotals();
  if (!ended) throw disagreement();
  spanning.requireWhole();
  await requireSound(stage, archive, fileCount, spanning.any, work);
  const relocations = isSmall ? 1 : work.threads + 1;
  for await (const _ of inOrder(toRelocate, relocations, (job) => work.relocateEntry(job)));
  return { fileCount, bytes };
}

/**
 * Unpacks an archive that another tool made into a stage, as a stream on one thread; without a stage it
 * only makes sure that this could be done. Yields the totals so far. Throws as unpackForeignStream does.
 */
export async function* unpackForeign(options: {
  reader: ArchiveReader;
  stage: StageDirectory | undefined;
  limits: UnpackLimits;
  work: UnpackWork;
  signal: AbortSignal;
}): AsyncGenerator<Unpacked, Unpacked> {
  const { reader, stage, limits, work, signal } = options;
  const reports: Unpacked[] = [];
  let wake = () => {};
  const unpacking = work.unpackForeignStream(
    { stage, limits },
    readChunks(reader, signal),
    (report) => {
      reports.push(report);
      wake();
    },
  );
  let ended = false;
  const end = () => {
    ended = true;
    wake();
  };
  unpacking.then(end, end);
  while (!ended) {
    const report = reports.pop();
    reports.length = 0;
    if (report) yield report;
    else await new Promise<void>((resolve) => (wake = resolve));
  }
  return unpacking;
}

async function* readChunks(reader: ArchiveReader, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < reader.bytes; ) {
    const length = Math.min(foreignChunkBytes, reader.bytes - offset);
    yield await readExactly(reader, offset, length, signal);
    offset += length;
  }
}

/** Checks files that span frames: their parts must follow each other, from the first to the last. */
class SpanningFiles {
  #open: UnpackedPart | undefined;
  /** Whether there was a file that spans frames. */
  any = false;

  /** Adds the parts of the next frame. */
  add(parts: readonly UnpackedPart[]): void {
    const [first] = parts;
    if (this.#open && !first) throw wrongParts(this.#open.name);
    for (const part of parts) {
      this.any = true;
      const { name, size, end } = this.#open
        ? { ...this.#open, end: this.#open.start + this.#open.length }
        : { ...part, end: 0 };
      if (part.name !== name || part.size !== size || part.start !== end)
        throw wrongParts(part.name);
      this.#open = part.start + part.length < part.size ? part : undefined;
    }
  }

  /** Requires that the last file is complete. */
  requireWhole(): void {
    if (this.#open) throw wrongParts(this.#open.name);
  }
}

/**
 * Checks what no single frame can show: that the parts of one file were not written into another of the
 * same name (which parts, unlike whole files, cannot notice), and that a later frame did hold each file
 * that is out of date in an earlier one.
 */
async function requireSound(
  stage: StageDirectory,
  { frames }: OwnArchive,
  fileCount: number,
  anySpanning: boolean,
  work: UnpackWork,
): Promise<void> {
  const superseded = frames.flatMap((frame) => frame.superseded);
  if (!anySpanning && superseded.length === 0) return;
  const found = await work.inspectStage({ stage, names: superseded });
  if (found.fileCount !== fileCount || found.absent > 0) throw disagreement();
}

function wrongParts(name: string): CacheError {
  return malformedArchive(`it does not hold ${JSON.stringify(name)} whole`);
}

function wrongTotals(): CacheError {
  return malformedArchive("it holds more or less than its manifest says");
}
