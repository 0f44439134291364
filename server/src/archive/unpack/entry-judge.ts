import { dirname } from "node:path";
import { unsafeArchive } from "../../domain/archive-error.ts";
import type { TarEntry } from "../format/tar-header.ts";
import { judgeEntryName } from "./entry-name.ts";
import type { EntryFile, EntrySink } from "./tar-entries.ts";

/** Bounds the memory that names take. */
const mostNames = 2_000_000;

const unwritten: EntryFile = { write() {}, finish() {}, close() {} };

/** A sink that writes nothing, and refuses what EntryWriter would refuse. */
export class EntryJudge implements EntrySink {
  readonly #kinds = new Map<string, "file" | "directory">([[".", "directory"]]);

  makeDirectory(name: string): void {
    this.#ensure(judgeEntryName(name), name);
  }

  openFile({ name }: TarEntry): EntryFile {
    const plain = judgeEntryName(name);
    this.#ensure(dirname(plain), name);
    if (this.#kinds.has(plain)) throw clash(name);
    this.#add(plain, "file");
    return unwritten;
  }

  copyFile(_from: string, entry: TarEntry, onBytes: (count: number) => void): void {
    this.openFile(entry);
    onBytes(entry.size);
  }

  removeFile(name: string): void {
    this.#kinds.delete(name);
  }

  #ensure(directory: string, name: string): void {
    const kind = this.#kinds.get(directory);
    if (kind === "file") throw clash(name);
    if (kind) return;
    this.#ensure(dirname(directory), name);
    this.#add(directory, "directory");
  }

  #add(name: string, kind: "file" | "directory"): void {
    this.#kinds.set(name, kind);
    if (this.#kinds.size > mostNames)
      throw unsafeArchive(
        `the archive holds more than ${mostNames} names of files and directories`,
      );
  }
}

function clash(name: string): Error {
  return unsafeArchive(`the archive holds ${JSON.stringify(name)} as file and as directory`);
}
