import { type ListedFile, readFully, withListedFile } from "../../local/tree/listed-file.ts";
import { currentPath } from "../../local/tree/pinned-directory.ts";
import type { Checkpoint } from "../../local/tree/tree.ts";
import { type BundledFile, type BundledKernel, bundledKernels } from "./kernel-bundles.ts";
import { PickleUnreadable } from "./pickle-tokens.ts";

/** The kernel files that torch writes again when it reads FX graph entries. */
export interface Bundled {
  /** Names of those files. */
  readonly names: ReadonlySet<string>;
  /** Names of the FX graph entries that torch writes them from. */
  readonly holders: readonly string[];
}

const bundleFile = /^fxgraph\/[^/]+\/[^/]+\/[^/]+$/;
const kernelFile = /^triton\/(\d+\/[A-Z2-7]{52})\/(.+)$/;
/** In a bundle's JSON files, torch puts this in the place of the path of the kernel's folder. */
const folderSign = "[REPLACE]";
const maxJsonBytes = 1024 * 1024;
const chunkBytes = 256 * 1024;

/**
 * Finds the kernel folders below an open directory that torch writes again, file for file and byte for
 * byte, when it reads an FX graph entry. A folder counts if an entry among the `finished` files bundles
 * each of its files (of those in `all`), and no entry bundles that kernel differently.
 *
 * Reads each entry and each bundled kernel once or twice, through buffers of 64 and 256 KiB; keeps
 * names, and at most 16 MiB of an entry's text. An entry that cannot be read as a pickle covers no
 * folder.
 */
export function findBundledFolders(
  rootFd: number,
  finished: readonly ListedFile[],
  all: readonly ListedFile[],
  checkpoint: Checkpoint,
): Bundled {
  const rootPath = currentPath(rootFd);
  const buffers = { ours: Buffer.allocUnsafe(chunkBytes), theirs: Buffer.allocUnsafe(chunkBytes) };
  const folders = kernelFolders(all);
  const covered = new Map<string, string>();
  const refuted = new Set<string>();
  for (const entry of finished) {
    if (!bundleFile.test(entry.name)) continue;
    for (const { folder, holds } of readEntry(entry) ?? [])
      if (holds) covered.set(folder, entry.name);
      else refuted.add(folder);
  }
  for (const folder of refuted) covered.delete(folder);
  const names = new Set<string>();
  for (const folder of covered.keys())
    for (const { name } of folders.get(folder)?.values() ?? []) names.add(name);
  return { names, holders: [...new Set(covered.values())] };

  /**
   * The folders of the kernels that an entry bundles, each with whether the bundle holds all of its
   * files.
   */
  function readEntry(entry: ListedFile): { folder: string; holds: boolean }[] | undefined {
    return withListedFile(rootFd, rootPath, entry, (entryFd) => {
      const found: { folder: string; holds: boolean }[] = [];
      try {
        for (const kernel of bundledKernels(entryFd, entry.size, checkpoint)) {
          const folder = `${kernel.device}/${kernel.hash}`;
          const files = folders.get(folder);
          if (files) found.push({ folder, holds: holdsAll(entryFd, kernel, files) });
        }
      } catch (error) {
        if (!(error instanceof PickleUnreadable)) throw error;
        // torch cannot use a truncated entry either.
        return [];
      }
      return found;
    });
  }

  function holdsAll(
    entryFd: number,
    kernel: BundledKernel,
    files: ReadonlyMap<string, ListedFile>,
  ): boolean {
    const bundled = new Map(kernel.files.map((file) => [file.name, file]));
    for (const [name, file] of files) {
      checkpoint();
      const source = bundled.get(name);
      if (!source) return false;
      const isSame = withListedFile(rootFd, rootPath, file, (fd) =>
        isSameFile({ entryFd, source, kernel }, { fd, size: file.size }, buffers),
      );
      if (!isSame) return false;
    }
    return true;
  }
}

/** The files of each kernel's folder, by their names in it. */
function kernelFolders(files: readonly ListedFile[]): Map<string, Map<string, ListedFile>> {
  const folders = new Map<string, Map<string, ListedFile>>();
  for (const file of files) {
    const [, folder, name] = kernelFile.exec(file.name) ?? [];
    if (folder === undefined || name === undefined) continue;
    const there = folders.get(folder);
    if (there) there.set(name, file);
    else folders.set(folder, new Map([[name, file]]));
  }
  return folders;
}

interface Buffers {
  readonly ours: Buffer;
  readonly theirs: Buffer;
}

/** Whether torch would write this very content, apart from the path of the cache in it. */
function isSameFile(
  { entryFd, source, kernel }: { entryFd: number; source: BundledFile; kernel: BundledKernel },
  { fd, size }: { fd: number; size: number },
  buffers: Buffers,
): boolean {
  if (source.length === size && isSameContent(entryFd, source, fd, buffers)) return true;
  if (!source.name.endsWith(".json")) return false;
  if (source.length > maxJsonBytes || size > maxJsonBytes) return false;
  const bundled = Buffer.allocUnsafe(source.length);
  const content = Buffer.allocUnsafe(size);
  if (!readFully(entryFd, source.start, bundled) || !readFully(fd, 0, content)) return false;
  // One character for each byte, in any encoding.
  return isMoved(bundled.toString("latin1"), content.toString("latin1"), kernel);
}

function isSameContent(
  entryFd: number,
  { start, length }: BundledFile,
  fd: number,
  { ours, theirs }: Buffers,
): boolean {
  for (let done = 0; done < length; done += chunkBytes) {
    const bytes = Math.min(chunkBytes, length - done);
    const a = ours.subarray(0, bytes);
    const b = theirs.subarray(0, bytes);
    if (!readFully(entryFd, start + done, a) || !readFully(fd, done, b)) return false;
    if (!a.equals(b)) return false;
  }
  return true;
}

/** Whether a file is the bundled one with the path of the kernel's folder filled in. */
function isMoved(bundled: string, content: string, { device, hash }: BundledKernel): boolean {
  const [before = "", ...after] = bundled.split(folderSign);
  const end = content.indexOf(hash, before.length) + hash.length;
  const folder = content.slice(before.length, end);
  return (
    after.length > 0 &&
    folder.endsWith(`/${device}/${hash}`) &&
    [before, ...after].join(folder) === content
  );
}
