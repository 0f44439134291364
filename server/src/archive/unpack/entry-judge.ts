import { dirname } from "node:path";
import { unsafeArchive } from "../../domain/archive-error.ts";
import type { Limits } from "../../domain/limits.ts";
import type { TarEntry } from "../format/tar-header.ts";
import { judgeEntryName } from "./entry-name.ts";
import { tooManyDirectories } from "./entry-writer.ts";
import type { EntryFile, EntrySink } from "./tar-entries.ts";

const unwritten: EntryFile = { write() {}, finish() {}, close() {} };

/** A sink that writes nothing, and refuses what EntryWriter would refuse. */
export class EntryJudge implements EntrySink {
  readonly #limits: Pick<Limits, "maxFileCount">;
  readonly #kinds = new Map<string, "file" | "directory">([[".", "directory"]]);
  #directories = 0;

  constructor(limits: Pick<Limits, "maxFileCount">) {
    this.#limits = limits;
  }

  makeDirectory(name: string): void {
    this.#ensure(judgeEntryName(name), name);
  }

  openFile({ name }: TarEntry): EntryFile {
    const plain = judgeEntryName(name);
    this.#ensure(dirname(plain), name);
    if (this.#kinds.has(plain)) throw clash(name);
    this.#kinds.set(plain, "file");
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
    this.#kinds.set(directory, "directory");
    this.#directories += 1;
    if (this.#directories > this.#limits.maxFileCount) throw tooManyDirectories(this.#limits);
  }
}

function clash(name: string): Error {
  return unsafeArchive(`the archive holds ${JSON.stringify(name)} as file and as directory`);
}
