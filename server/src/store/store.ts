import { CacheError } from "../domain/cache-error.ts";

/** Where one archive lives: a file name within a namespace. */
export interface ArchiveName {
  readonly namespace: string;
  readonly filename: string;
}

/**
 * An archive was replaced or removed while it was read, and its store no longer has its bytes. Opening
 * its name again gives the archive that replaced it, if there is one. A caller that gives up passes
 * this on as STORE_UNAVAILABLE, as any failure of a store.
 */
export class ArchiveReplaced extends CacheError {
  /** `store` names the store for people: its URL or path. */
  constructor(store: string, cause: unknown) {
    const message = `the archive in the store ${store} was replaced or removed while it was read`;
    super("STORE_UNAVAILABLE", message, { cause });
  }
}

/**
 * One archive cannot be opened, though its store answers: its rights do not let this user read it, or
 * what has its name is no file. Others of the store may be sound.
 */
export class ArchiveUnreadable extends CacheError {
  constructor(message: string, cause?: unknown) {
    super("STORE_UNAVAILABLE", message, { cause });
  }
}

/** A store, named for people, has no room, and what makes some. */
export function storeIsFull(store: string, cause: unknown): CacheError {
  const message =
    `the store ${store} is full: compilecache gc --gc-max-bytes 50GB --delete keeps it within a ` +
    "bound, and COMPILE_CACHE_GC_MAX_BYTES with COMPILE_CACHE_GC_EVERY has a daemon do so";
  return new CacheError("INSUFFICIENT_SPACE", message, { cause });
}

/**
 * One committed archive, open until the end of the block that holds it (`await using`). After it was
 * replaced or removed, a read still gives its own bytes or throws ArchiveReplaced; never the bytes of
 * another archive.
 */
export interface ArchiveReader extends ArchiveName, AsyncDisposable {
  readonly bytes: number;
  readonly modifiedAt: Date;
  /** The identity of this archive: any other, earlier or later, that has its name has another version. */
  readonly version: string;
  /**
   * Reads `length` bytes from `offset`; fewer only at the end of the archive. The buffer has memory of
   * its own, which the caller may transfer.
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Buffer>;
}

/** An archive that was read. */
export type UsedArchive = Pick<ArchiveReader, keyof ArchiveName | "modifiedAt">;

/**
 * What a store holds under one name: an archive, one that was set aside, or, `unfinished`, what a writer
 * left behind, or an archive that is gone: what it was replaced by, or removed, did not take along.
 */
export interface StoredFile {
  readonly kind: "archive" | "damaged" | "unfinished";
  /** Where it lies below the store's root. */
  readonly path: string;
  readonly namespace: string;
  readonly bytes: number;
  /** When it was last written, by the store's clock. */
  readonly modifiedAt: Date;
  /** When an archive was last loaded, as far as that was noted; absent where it never was. */
  readonly usedAt?: Date;
  /** Of an upload to a bucket that was never completed, its id. */
  readonly uploadId?: string;
}

/** All that a store holds, at a time by its own clock. */
export interface Inventory {
  readonly now: Date;
  readonly files: readonly StoredFile[];
}

/**
 * When an archive may take its name: `create`, if no archive has it; `replace`, always; `replaces`, if
 * the archive that has it is of that version.
 */
export type CommitMode = "create" | "replace" | { readonly replaces: string };

/** An archive that is being written. It is invisible until `commit`. */
export interface ArchiveWriter {
  readonly bytesWritten: number;
  write(chunk: Uint8Array, signal?: AbortSignal): Promise<void>;
  /**
   * Makes the archive durable and visible in one step. Answers `exists`, and changes nothing, where
   * the mode forbids it.
   */
  commit(mode: CommitMode, signal?: AbortSignal): Promise<"committed" | "exists">;
  /** Removes what was written. Does nothing after a commit, or when called again. */
  abort(): Promise<void>;
}

/**
 * Storage that machines share. Every failure is a CacheError: STORE_UNAVAILABLE, or INSUFFICIENT_SPACE
 * from a write; a call whose signal aborts throws the signal's reason.
 */
export interface Store {
  /** As a URL, without credentials. */
  readonly url: string;
  /** A remark on this store for people, in a few words; may be empty. */
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
   * Renames a damaged archive to a hidden name that no reader opens, if its name still holds that very
   * version; false if it does not.
   */
  setAside(name: ArchiveName, version: string, signal?: AbortSignal): Promise<boolean>;
  /** Lists all that the store holds, hidden files too. */
  inventory(signal?: AbortSignal): Promise<Inventory>;
  /**
   * Removes a file of an inventory if it is still the one that was listed; false if it is not. Whoever
   * reads it meanwhile has its own bytes to the end, or ArchiveReplaced.
   */
  removeFile(file: StoredFile, signal?: AbortSignal): Promise<boolean>;
  /** Notes that an archive was loaded now, unless it was written or noted in the last hours. */
  noteUse(archive: UsedArchive, signal?: AbortSignal): Promise<void>;
  /** Bytes that can still be written, or undefined where the store has no such bound. */
  freeBytes(signal?: AbortSignal): Promise<number | undefined>;
}

/** Where b10-transfer keeps its archives. */
export interface B10Place {
  readonly directory: string;
  /**
   * Whether the configuration names the directory. Only then an archive is loaded that does not tell for
   * which CPU it was compiled, as code for another one can end the process that runs it, or that is of
   * a user who is neither root, nor the daemon's, nor the owner of the directory.
   */
  readonly isNamed: boolean;
}

/**
 * The archives that b10-transfer keeps in a directory. Nothing is changed there. Failures are those of a
 * store.
 */
export interface B10Archives extends B10Place {
  /** The names of all that are there, sorted. */
  list(signal?: AbortSignal): Promise<string[]>;
  /** Opens one, for a namespace of ours; undefined if there is none of that name. */
  open(name: ArchiveName, signal?: AbortSignal): Promise<ArchiveReader | undefined>;
}
