import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { CacheError } from "../../domain/cache-error.ts";
import { copyFile } from "./copy-file.ts";
import { entriesIn, statAt, textOf } from "./entries.ts";
import { otherGroup } from "./group.ts";
import { type EntryName, pathAt, withDirectoryAt } from "./pinned-directory.ts";
import { removeAt, removeFiles } from "./removal.ts";
import { stagePrefix } from "./transient-names.ts";
import type { Checkpoint } from "./tree.ts";

/** How a stage's files take their places in a directory that holds some. */
export interface MoveOptions {
  /** Whether a moved file replaces what has its name. */
  readonly overwrite: boolean;
  /** The directory that they move into, as messages name it. */
  readonly shownAs: string;
  /** Paths below it at which something is mounted. */
  readonly mounts: ReadonlySet<string>;
}

/**
 * Throws PATH_NOT_ALLOWED if moving everything below one open directory into another would have to
 * follow or replace what is the user's own: a link, or anything else that is neither file nor
 * directory. Changes nothing.
 */
export function requirePlaces(
  fromFd: number,
  toFd: number,
  options: Pick<MoveOptions, "overwrite" | "shownAs">,
  checkpoint: Checkpoint,
): void {
  for (const { name, stat } of entriesIn(fromFd)) {
    checkpoint();
    const path = `${options.shownAs}/${textOf(name)}`;
    const isDirectory = stat.isDirectory();
    const there = statAt(toFd, name);
    if (there && !there.isDirectory() && !there.isFile() && (isDirectory || options.overwrite))
      throw isInTheWay(path, there, isDirectory);
    if (isDirectory && there?.isDirectory())
      withDirectoryAt(fromFd, name, (from) =>
        withDirectoryAt(toFd, name, (to) =>
          requirePlaces(from, to, { ...options, shownAs: path }, checkpoint),
        ),
      );
  }
}

function isInTheWay(path: string, there: fs.Stats, isDirectory: boolean): CacheError {
  const what = there.isSymbolicLink() ? "a symbolic link" : "neither a file nor a directory";
  const wanted = isDirectory ? "a directory" : "a file";
  return new CacheError(
    "PATH_NOT_ALLOWED",
    `${JSON.stringify(path)} is ${what}, and the cache has ${wanted} of that name; ` +
      "a load neither follows nor removes it: remove it, or load into another directory",
  );
}

/**
 * Moves everything below one open directory into another on the same file system, each file by one
 * system call. If a name is taken, `overwrite` decides whether the moved file replaces what is there.
 * What goes where another file system is mounted is copied there first.
 */
export function moveInto(
  fromFd: number,
  toFd: number,
  options: MoveOptions,
  checkpoint: Checkpoint,
  prefix = "",
): void {
  const { overwrite, mounts } = options;
  for (const { name, stat } of entriesIn(fromFd)) {
    checkpoint();
    const path = prefix + textOf(name);
    const shownAs = `${options.shownAs}/${path}`;
    const from = pathAt(fromFd, name);
    const to = pathAt(toFd, name);
    const there = statAt(toFd, name);
    if (!stat.isDirectory()) {
      if (overwrite && there?.isDirectory()) removeInTheWay(toFd, name, shownAs, checkpoint);
      moveFile(from, to, overwrite);
      continue;
    }
    if (there && !there.isDirectory()) {
      if (!overwrite) continue;
      removeInTheWay(toFd, name, shownAs, checkpoint);
    }
    if (there?.isDirectory() || !renameDirectory(from, to))
      withDirectoryAt(fromFd, name, (from) =>
        withDirectoryAt(toFd, name, (to) => {
          const move = (from: number) => moveInto(from, to, options, checkpoint, `${path}/`);
          if (mounts.has(path)) withCopyIn(from, to, move, checkpoint);
          else move(from);
        }),
      );
  }
}

/** Runs `body` with a copy of an open directory that lies in another one, and removes it afterwards. */
function withCopyIn(
  fromFd: number,
  toFd: number,
  body: (copyFd: number) => void,
  checkpoint: Checkpoint,
): void {
  const name = `${stagePrefix}${randomBytes(8).toString("hex")}`;
  fs.mkdirSync(pathAt(toFd, name), 0o700);
  try {
    withDirectoryAt(toFd, name, (copyFd) => {
      copyBelow(fromFd, copyFd, checkpoint);
      body(copyFd);
    });
  } finally {
    removeAt(toFd, name, { fileCount: 0, bytes: 0 }, () => {});
  }
}

function copyBelow(fromFd: number, toFd: number, checkpoint: Checkpoint): void {
  for (const { name, stat } of entriesIn(fromFd)) {
    const group = otherGroup(stat.gid);
    if (stat.isDirectory()) {
      fs.mkdirSync(pathAt(toFd, name), stat.mode & 0o777);
      withDirectoryAt(fromFd, name, (from) =>
        withDirectoryAt(toFd, name, (to) => {
          if (group !== undefined) fs.fchownSync(to, -1, group);
          copyBelow(from, to, checkpoint);
        }),
      );
    } else if (stat.isFile()) {
      const from = fs.openSync(
        pathAt(fromFd, name),
        fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW,
      );
      try {
        copyFile(from, pathAt(toFd, name), checkpoint, group);
      } finally {
        fs.closeSync(from);
      }
    }
  }
}

/** Removes what a moved entry is to replace; what is the user's own in a directory stays, and is told. */
function removeInTheWay(
  fd: number,
  name: EntryName,
  shownAs: string,
  checkpoint: Checkpoint,
): void {
  const there = statAt(fd, name);
  if (there?.isDirectory())
    withDirectoryAt(fd, name, (child) =>
      removeFiles(child, { keep: new Map(), transient: true, shownAs }, checkpoint),
    );
  const path = pathAt(fd, name);
  if (there?.isDirectory()) fs.rmdirSync(path);
  else if (there?.isFile()) fs.unlinkSync(path);
}

/** Returns false if a directory of that name exists and is not empty. */
function renameDirectory(from: fs.PathLike, to: fs.PathLike): boolean {
  try {
    fs.renameSync(from, to);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOTEMPTY" || code === "EEXIST") return false;
    throw error;
  }
}

function moveFile(from: fs.PathLike, to: fs.PathLike, overwrite: boolean): void {
  if (overwrite) {
    fs.renameSync(from, to);
    return;
  }
  try {
    fs.linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    // A file system without hard links, whatever it says then: look, then move. Another writer that
    // creates this very name between the two would lose its file, but to a file of the same kernel.
    if (!fs.lstatSync(to, { throwIfNoEntry: false })) fs.renameSync(from, to);
    return;
  }
  fs.unlinkSync(from);
}
