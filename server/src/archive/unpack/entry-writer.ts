import * as fs from "node:fs";
import { dirname } from "node:path";
import { unsafeArchive } from "../../domain/archive-error.ts";
import type { CacheError } from "../../domain/cache-error.ts";
import { type Limits, tooLarge } from "../../domain/limits.ts";
import { madeDirectoryMode, madeFileMode } from "../../local/tree/file-mode.ts";
import { toLocalError } from "../../local/tree/local-error.ts";
import type { TarEntry } from "../format/tar-header.ts";
import { judgeEntryName } from "./entry-name.ts";

const exclusive =
  fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_NOFOLLOW;
const shared = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_NOFOLLOW;

const readable = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW;
const copyBytes = 1024 * 1024;

/** The directory that entries are written into: a fresh one, in which only the daemon may write. */
export interface StageDirectory {
  /** Unique among all stages, of other daemons too. */
  readonly id: string;
  /** Path of the stage, by an open descriptor. */
  readonly path: string;
  /** How messages name it to people: the path of the directory that it will become. */
  readonly shownAs: string;
  /** The group of what is written, if that is another than the process's. */
  readonly group?: number;
}

/**
 * Writes an archive's entries into a stage. Checks each name, even in an archive of our own format.
 * Throws ARCHIVE_UNSAFE, or the local directory's error.
 */
export class EntryWriter {
  readonly #stage: StageDirectory;
  readonly #limits: Pick<Limits, "maxFileCount">;
  readonly #made = new Set<string>(["."]);
  /** How many directories it has made, of those that no one else had. */
  madeDirectories = 0;

  /** It makes no more directories than there may be files. */
  constructor(stage: StageDirectory, limits: Pick<Limits, "maxFileCount">) {
    this.#stage = stage;
    this.#limits = limits;
  }

  /** Makes a directory, and the directories above it. */
  makeDirectory(name: string): void {
    const plain = judgeEntryName(name);
    this.#guard(name, () => this.#ensure(plain));
  }

  /** Writes a whole file in one go. */
  writeFile(entry: TarEntry, content: Uint8Array): void {
    const file = this.openFile(entry);
    try {
      file.write(content, 0);
      file.finish();
    } finally {
      file.close();
    }
  }

  /**
   * Opens a file for writing; `whole` is false if several frames each write a part of it. The caller
   * closes it.
   */
  openFile(entry: TarEntry, whole = true): OpenEntry {
    const plain = judgeEntryName(entry.name);
    return this.#guard(entry.name, () => {
      this.#ensure(dirname(plain));
      const flags = whole ? exclusive : shared;
      const fd = fs.openSync(`${this.#stage.path}/${plain}`, flags, madeFileMode(entry.mode));
      return new OpenEntry(fd, entry, this.#stage);
    });
  }

  /** Writes a file with the content of one that is in the stage already, as EntrySink says. */
  copyFile(from: string, entry: TarEntry, onBytes: (count: number) => void): void {
    const path = `${this.#stage.path}/${judgeEntryName(from)}`;
    const source = this.#guard(from, () => fs.openSync(path, readable));
    try {
      const file = this.openFile(entry);
      try {
        this.#guard(from, () => copyContent(source, file, onBytes));
        file.finish();
      } finally {
        file.close();
      }
    } finally {
      fs.closeSync(source);
    }
  }

  /** Removes a file from the stage. */
  removeFile(name: string): void {
    this.#guard(name, () => fs.unlinkSync(`${this.#stage.path}/${judgeEntryName(name)}`));
  }

  #ensure(directory: string): void {
    if (this.#made.has(directory)) return;
    this.#ensure(dirname(directory));
    const path = `${this.#stage.path}/${directory}`;
    try {
      fs.mkdirSync(path, madeDirectoryMode);
      this.madeDirectories += 1;
      if (this.#stage.group !== undefined) fs.lchownSync(path, -1, this.#stage.group);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (!fs.lstatSync(path).isDirectory()) throw error;
    }
    this.#made.add(directory);
    if (this.madeDirectories > this.#limits.maxFileCount) throw tooManyDirectories(this.#limits);
  }

  #guard<T>(name: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EEXIST" || code === "ENOTDIR" || code === "EISDIR")
        throw unsafeArchive(
          `the archive holds ${JSON.stringify(name)} twice, or as file and directory (${code})`,
          error,
        );
      // The name was checked before: one that is too long is too long only for this file system.
      throw toLocalError(error, this.#stage.shownAs);
    }
  }
}

/** The error of an archive that has more directories than there may be files. */
export function tooManyDirectories(limits: Pick<Limits, "maxFileCount">): CacheError {
  return tooLarge(limits, "maxFileCount", "the archive holds", "directories");
}

function copyContent(source: number, file: OpenEntry, onBytes: (count: number) => void): void {
  const buffer = Buffer.allocUnsafe(copyBytes);
  for (let at = 0; ; ) {
    const count = fs.readSync(source, buffer, 0, buffer.length, at);
    if (count === 0) return;
    file.write(buffer.subarray(0, count), at);
    at += count;
    onBytes(count);
  }
}

/** A file that is being written into a stage. */
export class OpenEntry {
  readonly #fd: number;
  readonly #entry: TarEntry;
  readonly #stage: StageDirectory;

  constructor(fd: number, entry: TarEntry, stage: StageDirectory) {
    this.#fd = fd;
    this.#entry = entry;
    this.#stage = stage;
  }

  /** Writes `content` at a position, in bytes. */
  write(content: Uint8Array, position: number): void {
    try {
      for (let done = 0; done < content.length; )
        done += fs.writeSync(this.#fd, content, done, content.length - done, position + done);
    } catch (error) {
      throw toLocalError(error, this.#stage.shownAs);
    }
  }

  /** Sets group and time, after the last write. */
  finish(): void {
    if (this.#stage.group !== undefined) fs.fchownSync(this.#fd, -1, this.#stage.group);
    fs.futimesSync(this.#fd, this.#entry.mtime, this.#entry.mtime);
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}
