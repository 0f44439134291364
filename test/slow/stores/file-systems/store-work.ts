import { setTimeout as sleep } from "node:timers/promises";
import {
  type ArchiveName,
  type ArchiveReader,
  ArchiveReplaced,
  type CommitMode,
  type Store,
} from "../../../../server/src/store/store.ts";
import { openFileStore } from "../../../support/file-store.ts";
import { seal, unseal } from "./sealed-content.ts";

/** Work for a process of a race, through a store that it opened at `root`. */
export interface Order {
  readonly root: string;
  readonly name: ArchiveName;
  readonly task:
    | {
        readonly kind: "put";
        readonly entry: string;
        readonly mode: CommitMode;
        /** When to commit what was written: all at once, by the clock that they share. */
        readonly atMs?: number;
      }
    /** Adds an entry to those that are there, as a refresh does: until no other comes between. */
    | { readonly kind: "grow"; readonly entry: string }
    | { readonly kind: "read" }
    | { readonly kind: "setAside"; readonly version: string };
}

export interface Done {
  /** The answer of the last call. */
  readonly answer: string | boolean;
  readonly entries: readonly string[];
  readonly version: string;
}

const stores = new Map<string, Promise<Store>>();

/** Carries an order out. */
export async function carryOut({ root, name, task }: Order): Promise<Done> {
  if (!stores.has(root)) stores.set(root, openFileStore(root));
  const store = (await stores.get(root)) as Store;
  switch (task.kind) {
    case "put":
      return done(await put(store, name, [task.entry], task.mode, task.atMs));
    case "grow":
      for (;;) {
        const { entries, version } = await read(store, name);
        const mode = version ? { replaces: version } : ("create" as const);
        const answer = await put(store, name, [...entries, task.entry], mode);
        if (answer === "committed") return done(answer);
      }
    case "read":
      return read(store, name);
    case "setAside":
      return done(await store.setAside(name, task.version));
  }
}

const done = (answer: string | boolean): Done => ({ answer, entries: [], version: "" });

async function put(
  store: Store,
  name: ArchiveName,
  entries: readonly string[],
  mode: CommitMode,
  atMs = 0,
): Promise<"committed" | "exists"> {
  const writer = await store.create(name);
  try {
    await writer.write(seal(entries));
    await sleep(Math.max(0, atMs - Date.now()));
    return await writer.commit(mode);
  } finally {
    await writer.abort();
  }
}

/** Reads the whole archive; once more if it was replaced meanwhile, as a load does. */
async function read(store: Store, name: ArchiveName): Promise<Done> {
  const failed = new Set<string>();
  for (;;) {
    const reader = await store.open(name);
    if (!reader) return done("absent");
    try {
      const entries = unseal(await readAll(reader));
      return { answer: "there", entries, version: reader.version };
    } catch (error) {
      if (!(error instanceof ArchiveReplaced) || failed.has(reader.version)) throw error;
      failed.add(reader.version);
    } finally {
      await reader[Symbol.asyncDispose]();
    }
  }
}

/** In pieces, so that others come between. */
async function readAll(reader: ArchiveReader): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < reader.bytes; at += 50_000) pieces.push(await reader.read(at, 50_000));
  return Buffer.concat(pieces);
}
