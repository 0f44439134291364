import * as fs from "node:fs";
import { basename } from "node:path";
import { CacheError, invalidField } from "../domain/cache-error.ts";
import type { AllowedPath } from "./allowed-dirs.ts";
import { withPassage } from "./open-directory.ts";
import { copyFile } from "./tree/copy-file.ts";
import { entriesIn, textOf } from "./tree/entries.ts";
import { madeDirectoryMode } from "./tree/file-mode.ts";
import { toLocalError } from "./tree/local-error.ts";
import {
  type EntryName,
  openDirectoryAt,
  pathAt,
  pathOfHandle,
  withDirectoryAt,
} from "./tree/pinned-directory.ts";
import { type Checkpoint, ownerAlone, type Totals } from "./tree/tree.ts";

/** The open source of a copy. Its holder closes the descriptor. */
export interface CopySource {
  readonly kind: "file" | "directory";
  readonly fd: number;
  /** Its name in the directory above. */
  readonly name: string;
  /** The one whose files alone may be copied, for a process of root: see ownerAlone. */
  readonly ownerAlone?: number | undefined;
}

/** One file or directory to copy, by its path below the source; "" is the source itself. */
export interface CopyItem {
  readonly path: EntryName;
  readonly directory: boolean;
  readonly bytes: number;
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

/**
 * Opens an allowed file or directory without following links. Throws INVALID_REQUEST if it does not
 * exist, and PATH_NOT_ALLOWED if it is a link or anything else.
 */
export function openSource(allowedPath: AllowedPath): CopySource {
  const above = { ...allowedPath, ...parentOf(allowedPath) };
  const name = allowedPath.below.at(-1) ?? basename(allowedPath.root);
  const source = withPassage(above, (aboveFd) => openSourceAt(aboveFd, name, allowedPath));
  if (!source) throw noSource(allowedPath);
  return source;
}

function openSourceAt(aboveFd: number, name: string, allowedPath: AllowedPath): CopySource {
  try {
    const fd = fs.openSync(`${pathOfHandle(aboveFd)}/${name}`, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const stat = fs.fstatSync(fd);
    if (stat.isDirectory() || stat.isFile())
      return {
        kind: stat.isDirectory() ? "directory" : "file",
        fd,
        name,
        ownerAlone: ownerAlone(stat.isDirectory() ? fd : aboveFd),
      };
    fs.closeSync(fd);
    throw new CacheError(
      "PATH_NOT_ALLOWED",
      `${allowedPath.path} is neither a file nor a directory`,
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw noSource(allowedPath);
    if (code === "ELOOP")
      throw new CacheError("PATH_NOT_ALLOWED", `${allowedPath.path} is a symbolic link`);
    throw toLocalError(error, allowedPath.path);
  }
}

/** The directory above an allowed path, even above the allowed directory itself. */
function parentOf({ root, below }: AllowedPath): { root: string; below: readonly string[] } {
  if (below.length > 0) return { root, below: below.slice(0, -1) };
  return { root: root.slice(0, Math.max(1, root.lastIndexOf("/"))), below: [] };
}

function noSource(allowedPath: AllowedPath): CacheError {
  return invalidField("source", `${allowedPath.path} does not exist`);
}

/** Lists all files and directories below a source, each directory before its content. */
export function listSource(source: CopySource): CopyItem[] {
  if (source.kind === "file")
    return [{ path: "", directory: false, bytes: fs.fstatSync(source.fd).size }];
  return [...listBelow(source.fd, "")];
}

function* listBelow(fd: number, above: EntryName): Generator<CopyItem> {
  for (const { name, stat } of entriesIn(fd)) {
    const path = joined(above, name);
    if (stat.isDirectory()) {
      yield { path, directory: true, bytes: 0 };
      const child = openDirectoryAt(fd, name);
      try {
        yield* listBelow(child, path);
      } finally {
        fs.closeSync(child);
      }
    } else if (stat.isFile()) yield { path, directory: false, bytes: stat.size };
  }
}

function joined(above: EntryName, name: EntryName): EntryName {
  if (above.length === 0) return name;
  if (typeof above === "string" && typeof name === "string") return `${above}/${name}`;
  return Buffer.concat([Buffer.from(above), Buffer.from("/"), Buffer.from(name)]);
}

function partsOf(path: EntryName): EntryName[] {
  if (typeof path === "string") return path.split("/");
  const parts = Buffer.from(path).toString("latin1").split("/");
  return parts.map((part) => Buffer.from(part, "latin1"));
}

/** A part of a copy. */
export interface CopyJob {
  readonly source: CopySource;
  readonly items: readonly CopyItem[];
  readonly stageFd: number;
  /** The name that the source itself gets in the stage. */
  readonly asName: string;
  /** The destination, as messages name it. */
  readonly shownAs: string;
}

/**
 * Copies items of a source into a stage, and returns how many files and bytes it copied. Throws the
 * local directory's error.
 */
export function copyItems(job: CopyJob, checkpoint: Checkpoint): Totals {
  const copied = { fileCount: 0, bytes: 0 };
  try {
    for (const { path, directory } of job.items) {
      checkpoint();
      const isSource = path.length === 0;
      const target = pathAt(job.stageFd, isSource ? job.asName : path);
      if (directory) {
        fs.mkdirSync(target, madeDirectoryMode);
        continue;
      }
      const copy = (from: number) => {
        requireOwners(from, path, job.source);
        copied.bytes += copyFile(from, target, checkpoint);
      };
      if (isSource) copy(job.source.fd);
      else withFileBelow(job.source.fd, partsOf(path), copy);
      copied.fileCount += 1;
    }
  } catch (error) {
    throw toLocalError(error, job.shownAs);
  }
  return copied;
}

function withFileBelow(
  fd: number,
  parts: readonly EntryName[],
  body: (fileFd: number) => void,
): void {
  const [first, ...rest] = parts as [EntryName, ...EntryName[]];
  if (rest.length > 0) {
    withDirectoryAt(fd, first, (child) => withFileBelow(child, rest, body));
    return;
  }
  const from = fs.openSync(pathAt(fd, first), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    body(from);
  } finally {
    fs.closeSync(from);
  }
}

/** Throws PATH_NOT_ALLOWED for a file that a process of root must not take along. */
function requireOwners(fd: number, path: EntryName, { name, ownerAlone }: CopySource): void {
  const { uid, nlink } = fs.fstatSync(fd);
  if (ownerAlone === undefined || (uid === ownerAlone && nlink === 1)) return;
  const why = nlink > 1 ? `has ${nlink} names` : `belongs to user ${uid}`;
  throw new CacheError(
    "PATH_NOT_ALLOWED",
    `${JSON.stringify(textOf(path) || name)} ${why}: a daemon of root copies only files of the user to whom ` +
      `their directory belongs (${ownerAlone}), and that have one name`,
  );
}
