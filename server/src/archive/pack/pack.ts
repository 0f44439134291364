import { setTimeout as sleep } from "node:timers/promises";
import { inOrder } from "../../async/in-order.ts";
import type { ArchiveFormat } from "../../domain/cache-id.ts";
import { type LeftOutFiles, type LeftOutReason, Tally } from "../../domain/left-out.ts";
import type { Profile } from "../../domain/profile.ts";
import type { ArchiveAssembler } from "./assembler.ts";
import type { NotPacked } from "./frame-packer.ts";
import type { PlannedFrame } from "./plan.ts";
import type { PackWork } from "./port.ts";
import { pauseUntil, type ScanResult, settledAfterMs } from "./scan.ts";

/** Progress of packing. The totals may still shrink or grow. */
export interface Packed {
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly filesDone: number;
  readonly filesTotal: number;
}

/** What a save has packed of its directory. */
export interface PackResult {
  readonly fileCount: number;
  readonly bytes: number;
  /** A file that works only in this directory, if there is one. */
  readonly tied?: string;
  /** All that the save left out of the directory. */
  readonly leftOut: readonly LeftOutFiles[];
  /** Names of the files that were to be packed and are not. */
  readonly notPacked: readonly string[];
}

/** A file that is left out because it could not be packed when an earlier attempt read it. */
export type Unstable = Pick<NotPacked, "name" | "reason">;

/**
 * Thrown when a file cannot be packed that the archive already relies on: frames of it were written, or
 * kernels were left out because it holds them. The caller starts again without that file.
 */
export class EssentialFileChanged extends Error {
  readonly file: Unstable;

  constructor({ name, reason }: Unstable) {
    super(`${name} changed while it was read, or cannot be read`);
    this.file = { name, reason };
  }
}

/**
 * Packs what a save takes of an open directory as further frames of an archive. A file that is too
 * young, changes while it is read, or cannot be read, is tried once more at the end. Holds at most `work.threads + 1`
 * packed frames. Throws EssentialFileChanged, CACHE_TOO_LARGE or INSUFFICIENT_SPACE.
 */
export async function* pack(options: {
  rootFd: number;
  /** The paths by which files may name the directory. */
  rootPaths: readonly string[];
  scan: ScanResult;
  unstable: readonly Unstable[];
  profile: Profile;
  format: ArchiveFormat;
  assembler: ArchiveAssembler;
  work: PackWork;
  signal: AbortSignal;
}): AsyncGenerator<Packed, PackResult> {
  const { rootFd, rootPaths, scan, unstable, profile, format, assembler, work, signal } = options;
  const holders = new Set(scan.bundled.holders);
  let filesDone = 0;
  let bytesDone = 0;
  let filesTotal = scan.fileCount;
  let bytesTotal = scan.bytes;
  let tied: string | undefined;

  const packPlanned = ({ plan }: PlannedFrame) =>
    work.packFrame({ rootFd, plan, format, rootPaths });
  const packAll = async function* (planned: readonly PlannedFrame[], notPacked: Unstable[]) {
    for await (const packed of inOrder(planned, work.threads + 1, packPlanned)) {
      for (const file of packed.notPacked) {
        if (file.spansFrames || holders.has(file.name)) throw new EssentialFileChanged(file);
        notPacked.push(file);
      }
      // None of this frame's files could be packed, so it is empty.
      if (packed.contentBytes === 0) continue;
      await assembler.addPacked(packed);
      tied ??= packed.tied;
      filesDone += packed.fileCount;
      bytesDone += packed.bytes;
      yield { bytesDone, bytesTotal, filesDone, filesTotal };
    }
  };

  const first: Unstable[] = [];
  yield* packAll(scan.frames, first);
  const notPacked: Unstable[] = [];
  if (first.length > 0 || scan.young.length > 0) {
    const settledAtMs = first.length > 0 ? Date.now() + settledAfterMs : scan.settledAtMs;
    await sleep(pauseUntil(settledAtMs), undefined, { signal }).catch(() => {});
    const second = await work.scan({
      rootFd,
      only: [...scan.young, ...first].map(({ name }) => name),
      seen: scan.young,
      unstable: namesOf(unstable),
      profile,
      format,
    });
    filesTotal = filesDone + second.fileCount;
    bytesTotal = bytesDone + second.bytes;
    const still = [...second.gone, ...second.young.map(({ name }) => name)];
    notPacked.push(...still.map((name) => ({ name, reason: "CHANGED" as const })));
    yield* packAll(second.frames, notPacked);
  }
  const leftOut = new Tally<LeftOutReason>();
  leftOut.addAll(scan.leftOut);
  for (const { name, reason } of [...unstable, ...notPacked]) leftOut.add(reason, name);
  return {
    fileCount: filesDone,
    bytes: bytesDone,
    leftOut: leftOut.list(),
    notPacked: namesOf(notPacked),
    ...(tied === undefined ? {} : { tied }),
  };
}

/** The names of files that are left out. */
export function namesOf(files: readonly Unstable[]): string[] {
  return files.map(({ name }) => name);
}
