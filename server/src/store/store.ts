import { CacheError } from "../domain/cache-error.ts";

/** Where one archive lives: a file name within a namespace. */
export interface ArchiveName {
  readonly namespace: string;
  readonly filename: string;
}

/** One committed archive, as a listing shows it. */
export interface StoredArchive extends ArchiveName {
  readonly bytes: number;
  readonly modifiedAt: Date;
}

/**
 * An archive was replaced or removed while it was read, and its store has its bytes no more. Opening
 * the name again gives the archive that has it now, if there is one. Where that is not done, it is a
 * failure of the store like any other: STORE_UNAVAILABLE.
 */
export class ArchiveReplaced extends CacheError {
  /** `store` says which, for people. */
  constructor(store: string, cause: unknown) {
    const message = `the archive in the store ${store} was replaced or removed while it was read`;
    super("STORE_UNAVAILABLE", message, { cause });
  }
}

/**
 * One committed archive, open. Whatever happens to its name, a read gives that very archive's bytes or
 * throws ArchiveReplaced: never another's.
 */
export interface ArchiveReader extends StoredArchive {
  /** Tells this very archive from any other that had or will have its name. */
  readonly version: string;
  /**
   * Reads `length` bytes from `offset`; fewer only at the end of the archive. The memory behind them
   * is the caller's, to give away too.
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Buffer>;
  close(): Promise<void>;
}

/**
 * When an archive may take its name: `create`, if no archive has it; `replace`, whatever has it;
 * `replaces`, if the archive that has it is of that very version.
 */
export type CommitMode = "create" | "replace" | { readonly replaces: string };

/** An archive that is being written. Nobody sees it before `commit`. */
export interface ArchiveWriter {
  readonly bytesWritten: number;
  write(chunk: Uint8Array, signal?: AbortSignal): Promise<void>;
  /**
   * Makes the archive durable and visible in one step. Answers `exists`, and changes nothing, where
   * the mode forbids it.
   */
  commit(mode: CommitMode, signal?: AbortSignal): Promise<"committed" | "exists">;
  /** Removes what was written. Does nothing after a commit. */
  abort(): Promise<void>;
}

/**
 * A place that machines share. Every failure is a CacheError: STORE_UNAVAILABLE, or
 * INSUFFICIENT_SPACE from a write.
 */
export interface Store {
  /** As a URL, without credentials. */
  readonly url: string;
  /** What there is to know of it, in a few words for people. */
  note?(): string;
  /** The path of the store on this machine, where it has one: nothing may be copied into it. */
  readonly directory?: string;
  /** Opens a committed archive, or answers undefined if there is none. */
  open(name: ArchiveName, signal?: AbortSignal): Promise<ArchiveReader | undefined>;
  create(name: ArchiveName, signal?: AbortSignal): Promise<ArchiveWriter>;
  /** The archives of a namespace, or of all, by namespace, then file name. */
  list(namespace: string | undefined, signal?: AbortSignal): Promise<ArchiveName[]>;
  /** Removes an archive; false if there was none. */
  remove(name: ArchiveName, signal?: AbortSignal): Promise<boolean>;
  /**
   * Sets a damaged archive aside under another name, where no reader looks, if the name still holds
   * that very version; false if it does not.
   */
  setAside(name: ArchiveName, version: string, signal?: AbortSignal): Promise<boolean>;
  /** Bytes that can still be written, or undefined where the store has no such bound. */
  freeBytes(signal?: AbortSignal): Promise<number | undefined>;
}
