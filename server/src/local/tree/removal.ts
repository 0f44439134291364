import * as fs from "node:fs";
import { CacheError } from "../../domain/cache-error.ts";
import { type PassedOver, Tally } from "../../domain/left-out.ts";
import {
  anyEntriesIn,
  type Entry,
  entriesIn,
  isDenied,
  isEntryFault,
  isGone,
  namesIn,
  statAt,
  textOf,
} from "./entries.ts";
import { toLocalError } from "./local-error.ts";
import { isMountPoint, mountsBelow } from "./mounts.ts";
import { currentPath, type EntryName, pathAt, withDirectoryAt } from "./pinned-directory.ts";
import { isSystemDirectory, isTransientDirectory, isTransientFile } from "./transient-names.ts";
import type { Checkpoint, Totals } from "./tree.ts";

/**
 * Removes what is the daemon's own, whatever it is, by its name in an open directory, if it exists;
 * adds its files to `removed`. Whatever is mounted there stays, and so does the directory.
 */
export function removeAt(
  fd: number,
  name: EntryName,
  removed: Totals,
  checkpoint: Checkpoint,
): void {
  const stat = statAt(fd, name);
  if (stat)
    removeEntry(fd, { name, stat }, removed, (child) => {
      if (!isMountPoint(currentPath(child)))
        emptyDirectory(child, mountsBelow(child), "", removed, checkpoint);
    });
}

function emptyDirectory(
  fd: number,
  mounts: ReadonlySet<string>,
  prefix: string,
  removed: Totals,
  checkpoint: Checkpoint,
): void {
  for (const entry of entriesIn(fd)) {
    checkpoint();
    const path = prefix + textOf(entry.name);
    if (!mounts.has(path))
      removeEntry(fd, entry, removed, (child) =>
        emptyDirectory(child, mounts, `${path}/`, removed, checkpoint),
      );
  }
}

/** Removes an entry that may be gone by now; a directory once `empty` has emptied it. */
function removeEntry(
  fd: number,
  { name, stat }: Entry,
  removed: Totals,
  empty: (childFd: number) => void,
): void {
  try {
    if (stat.isDirectory()) {
      withDirectoryAt(fd, name, empty);
      fs.rmdirSync(pathAt(fd, name));
    } else {
      fs.unlinkSync(pathAt(fd, name));
      count(stat, removed);
    }
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

function count(stat: fs.Stats, removed: Totals): void {
  if (!stat.isFile()) return;
  removed.fileCount += 1;
  removed.bytes += stat.size;
}

/** The names in a tree: a file is `true`, a directory is another such map. */
export type Names = Map<string, true | Names>;

/** All names below an open directory that are UTF-8. */
export function namesBelow(fd: number): Names {
  const names: Names = new Map();
  for (const { name, stat } of entriesIn(fd))
    if (typeof name === "string")
      names.set(name, stat.isDirectory() ? withDirectoryAt(fd, name, namesBelow) : true);
  return names;
}

/** Why a removal spares an entry that is no cache's; FOREIGN is what is mounted, or a file system's. */
export type SpareReason = "LINK" | "SPECIAL" | "UNREADABLE" | "FOREIGN";

/** What a removal spared, by reason. */
export type Spared = readonly PassedOver<SpareReason>[];

/** What was removed, and what was spared. */
export interface Removed extends Totals {
  readonly spared: Spared;
}

export interface RemovalOptions {
  /** What stays. */
  readonly keep: Names;
  /** Whether locks and temporary files go too. */
  readonly transient: boolean;
  /** The directory, as messages name it. */
  readonly shownAs: string;
}

/**
 * Removes, below an open directory, the files and directories that a load or a compiler made. Spares
 * what is someone else's: links, other kinds of file, what is mounted there, what the file system
 * keeps for itself, and directories that cannot be listed. A file that cannot be removed does not
 * stop the rest; then throws PATH_NOT_ALLOWED, which names it.
 */
export function removeFiles(fd: number, options: RemovalOptions, checkpoint: Checkpoint): Removed {
  const removal = new Removal(fd, options, checkpoint);
  removal.removeBelow(fd, options.keep, "");
  removal.requireDone();
  return { ...removal.removed, spared: removal.spared.list() };
}

class Removal {
  readonly removed: Totals = { fileCount: 0, bytes: 0 };
  readonly spared = new Tally<SpareReason>();
  readonly #options: RemovalOptions;
  readonly #checkpoint: Checkpoint;
  readonly #mounts: ReadonlySet<string>;
  readonly #device: number;
  #failure: { readonly path: string; readonly error: unknown } | undefined;

  constructor(fd: number, options: RemovalOptions, checkpoint: Checkpoint) {
    this.#options = options;
    this.#checkpoint = checkpoint;
    this.#mounts = mountsBelow(fd);
    this.#device = fs.fstatSync(fd).dev;
  }

  removeBelow(fd: number, keep: Names, prefix: string): void {
    for (const entry of anyEntriesIn(fd, namesIn(fd))) {
      this.#checkpoint();
      const { name, stat } = entry;
      const kept = typeof name === "string" ? keep.get(name) : undefined;
      if (!stat) this.#fail(entry.fault, prefix + textOf(name));
      else if (stat.isDirectory()) this.#removeDirectory(fd, name, stat, kept, prefix);
      else if (kept === undefined) this.#removeFile(fd, name, stat, prefix);
    }
  }

  requireDone(): void {
    if (!this.#failure) return;
    const { path, error } = this.#failure;
    const shown = `${this.#options.shownAs}/${path}`;
    const { code } = error as NodeJS.ErrnoException;
    if (!isDenied(error) && code !== "EBUSY") throw toLocalError(error, shown);
    const message = `${JSON.stringify(shown)} cannot be removed (${code}); all else is`;
    throw new CacheError("PATH_NOT_ALLOWED", message, { cause: error });
  }

  /** What may not even be looked at is no cache's; any other fault is told in the end. */
  #fail(error: unknown, path: string): void {
    if (!isEntryFault(error)) throw error;
    if (isDenied(error)) this.spared.add("UNREADABLE", path);
    else if (!isGone(error)) this.#failure ??= { path, error };
  }

  #removeDirectory(
    parentFd: number,
    name: EntryName,
    stat: fs.Stats,
    kept: Names | true | undefined,
    prefix: string,
  ): void {
    const path = prefix + textOf(name);
    if (kept === true || (isTransientDirectory(textOf(name)) && !this.#options.transient)) return;
    if (stat.dev !== this.#device || this.#mounts.has(path) || isSystemDirectory(textOf(name))) {
      this.spared.add("FOREIGN", `${path}/`);
      return;
    }
    try {
      withDirectoryAt(parentFd, name, (fd) => this.removeBelow(fd, kept ?? new Map(), `${path}/`));
    } catch (error) {
      this.#fail(error, `${path}/`);
      return;
    }
    try {
      if (!kept) fs.rmdirSync(pathAt(parentFd, name));
    } catch (error) {
      // It may hold what was spared, or another process may have filled it.
      const { code = "" } = error as NodeJS.ErrnoException;
      if (!["ENOTEMPTY", "EEXIST", "EBUSY"].includes(code) && !isDenied(error))
        this.#fail(error, `${path}/`);
    }
  }

  #removeFile(fd: number, name: EntryName, stat: fs.Stats, prefix: string): void {
    const path = prefix + textOf(name);
    const isTransient = isTransientFile(textOf(name));
    if (isTransient && !this.#options.transient) return;
    if (!isTransient && !stat.isFile()) {
      this.spared.add(stat.isSymbolicLink() ? "LINK" : "SPECIAL", path);
      return;
    }
    try {
      fs.unlinkSync(pathAt(fd, name));
      count(stat, this.removed);
    } catch (error) {
      if (!isEntryFault(error)) throw error;
      if (!isTransient && !isGone(error)) this.#failure ??= { path, error };
    }
  }
}
