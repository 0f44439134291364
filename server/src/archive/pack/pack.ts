import { setTimeout as sleep } from "node:timers/promises";
import { inOrder } from "../../async/in-order.ts";
import type { ArchiveFormat } from "../../domain/cache-id.ts";
import type { Profile } from "../../domain/profile.ts";
import type { ArchiveAssembler } from "./assembler.ts";
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
  /** Files that changed, vanished, or were still being written. */
  readonly leftOut: readonly string[];
  /** A file that works only in this directory, if there is one. */
  readonly tied?: string;
}

/**
 * Thrown when a file changes that the archive already relies on: frames of it were written, or kernels
 * were left out because it holds them. The caller starts again without that file.
 */
export class EssentialFileChanged extends Error {
  readonly fileName: string;

  constructor(fileName: string) {
    super(`${fileName} changed while it was read`);
    this.fileName = fileName;
  }
}

/**
 * Packs what a save takes of an open directory as further frames of an archive. A file that is too
 * young, or changes while it is read, is tried once more at the end. Holds at most `work.threads + 1`
 * packed frames. Throws EssentialFileChanged, CACHE_TOO_LARGE or INSUFFICIENT_SPACE.
 */
export async function* pack(options: {
  rootFd: number;
  /** The paths by which files may name the directory. */
  rootPaths: readonly string[];
  scan: ScanResult;
  /** Names of files to leave out because they changed while an earlier attempt read them. */
  unstable: readonly string[];
  profile: Profile;
  format: ArchiveFormat;
  assembler: ArchiveAssembler;
  work: PackWork;
  signal: AbortSignal;
}): AsyncGenerator<Packed, PackResult> {
  const { rootFd, rootPaths, scan, unstable, profile, format, assembler, work, signal } = options;
  const again = [...scan.young];
  const holders = new Set(scan.bundled.holders);
  const leftOut: string[] = [];
  let filesDone = 0;
  let bytesDone = 0;
  let filesTotal = scan.fileCount;
  let bytesTotal = scan.bytes;
  let tied: string | undefined;

  const packPlanned = ({ plan }: PlannedFrame) =>
    work.packFrame({ rootFd, plan, format, rootPaths });
  const packAll = async function* (planned: readonly PlannedFrame[], changed: string[]) {
    for await (const packed of inOrder(planned, work.threads + 1, packPlanned)) {
      for (const { name, spansFrames } of packed.changed) {
        if (spansFrames || holders.has(name)) throw new EssentialFileChanged(name);
        changed.push(name);
      }
      // All files of this frame have changed, so it is empty.
      if (packed.contentBytes === 0) continue;
      await assembler.addPacked(packed);
      tied ??= packed.tied;
      filesDone += packed.fileCount;
      bytesDone += packed.bytes;
      yield { bytesDone, bytesTotal, filesDone, filesTotal };
    }
  };

  yield* packAll(scan.frames, again);
  if (again.length > 0) {
    const changed = again.length > scan.young.length;
    const settledAtMs = changed ? Date.now() + settledAfterMs : scan.settledAtMs;
    await sleep(pauseUntil(settledAtMs), undefined, { signal }).catch(() => {});
    const second = await work.scan({ rootFd, nowMs: Date.now(), only: again, unstable, profile });
    filesTotal = filesDone + second.fileCount;
    bytesTotal = bytesDone + second.bytes;
    leftOut.push(...second.gone, ...second.young);
    yield* packAll(second.frames, leftOut);
  }
  return {
    fileCount: filesDone,
    bytes: bytesDone,
    leftOut,
    ...(tied === undefined ? {} : { tied }),
  };
}
