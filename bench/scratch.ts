import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { freemem, tmpdir } from "node:os";
import { join } from "node:path";
import { atExit } from "../fixtures/at-exit.ts";

/** A private directory to measure in. */
export interface Scratch {
  readonly dir: string;
  /** The kind of file system, as text to show. */
  readonly kind: "a private tmpfs" | "/dev/shm" | "disk";
  /** Bytes that it has room for now. */
  free(): number;
  remove(): void;
}

/** Memory that is left to everything else on the machine. */
const reservedBytes = 2 * 1024 ** 3;

/**
 * Makes a directory with room for `bytes`: on its own tmpfs (as root), else on /dev/shm, else on disk.
 * Throws if there is no room anywhere.
 */
export function createScratch(bytes: number): Scratch {
  for (const make of [onPrivateTmpfs, onSharedTmpfs, onDisk]) {
    const scratch = make();
    if (scratch && scratch.free() >= bytes) return scratch;
    scratch?.remove();
  }
  throw new NoRoom(`${(bytes / 1e9).toFixed(1)} GB fit neither into memory nor on disk`);
}

/** There is too little room for what is to be measured. */
export class NoRoom extends Error {
  override readonly name = "NoRoom";
}

function onPrivateTmpfs(): Scratch | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const dir = mkdtempSync(join(tmpdir(), "compilecache-bench-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=90%,mode=0755", "tmpfs", dir], {
      stdio: "ignore",
    });
  } catch {
    rmSync(dir, { recursive: true });
    return undefined;
  }
  const unmount = () => execFileSync("umount", ["--lazy", dir]);
  return scratchAt(dir, "a private tmpfs", freeTmpfsBytes, unmount);
}

function onSharedTmpfs(): Scratch | undefined {
  try {
    const dir = mkdtempSync("/dev/shm/compilecache-bench-");
    return scratchAt(dir, "/dev/shm", freeTmpfsBytes);
  } catch {
    return undefined;
  }
}

function onDisk(): Scratch {
  return scratchAt(mkdtempSync(join(tmpdir(), "compilecache-bench-")), "disk", freeBytes);
}

function scratchAt(
  dir: string,
  kind: Scratch["kind"],
  free: (dir: string) => number,
  unmount = () => {},
): Scratch {
  const remove = atExit(() => {
    unmount();
    rmSync(dir, { recursive: true, force: true });
  });
  return { dir, kind, free: () => free(dir), remove };
}

function freeBytes(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
}

function freeTmpfsBytes(dir: string): number {
  return Math.min(freeBytes(dir), freemem() - reservedBytes);
}

/** Makes the directory, empty: removes what was there before. Returns its path. */
export function emptyDirectory(path: string): string {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return path;
}
