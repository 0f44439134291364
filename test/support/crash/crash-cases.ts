import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CacheClient, LoadInput, SaveInput } from "compilecache-client";
import { environment, finalState, namesIn } from "../daemon/daemons.ts";
import {
  bothCaches,
  type Contents,
  newCache,
  nothing,
  oldCache,
  otherCache,
  readContents,
  writeContents,
} from "./cache-contents.ts";

/** Where the daemons of a case work; empty before each run. */
export interface Scene {
  readonly store: string;
  readonly allowed: string;
  /** An allowed directory itself, which cannot be renamed into place, as a mount point cannot. */
  readonly mount: string;
}

/** Work that a daemon is killed at. */
export interface CrashCase {
  readonly name: string;
  /** Makes what there is before, through a daemon that is not killed. */
  prepare(scene: Scene, client: CacheClient): Promise<void>;
  work(scene: Scene, client: CacheClient): Promise<void>;
  /** What there is; a directory that is marked as not loaded holds nothing. */
  look(scene: Scene, client: CacheClient): Promise<Contents>;
  /** All that there may be after a kill. */
  readonly outcomes: readonly Contents[];
  /** What there must be once the work was done again. */
  readonly end: Contents;
}

type Policy<Input, Name extends keyof Input> = NonNullable<Input[Name]>;

const newDir = ({ allowed }: Scene) => join(allowed, "new");
const oldDir = ({ allowed }: Scene) => join(allowed, "old");
const otherDir = ({ allowed }: Scene) => join(allowed, "other");
const target = ({ allowed }: Scene) => join(allowed, "target");
const mount = ({ mount }: Scene) => mount;

export async function saveFrom(
  client: CacheClient,
  localDir: string,
  contents: Contents,
  ifStoredExists: Policy<SaveInput, "ifStoredExists"> = "skip",
): Promise<void> {
  writeContents(localDir, contents);
  const { status } = await client.save({ environment, localDir, ifStoredExists });
  assert.match(status, /^(success|skipped)$/);
}

/** What a load finds in the store. Nothing but archives may have an archive's name. */
async function lookInStore(scene: Scene, client: CacheClient): Promise<Contents> {
  for (const name of namesIn(join(scene.store, "default")))
    assert.match(name, /^cache_[0-9a-f]{12}\.latest\.tar\.(zst|gz)$|^\.cache_[0-9a-f]{12}\./);
  const localDir = join(scene.allowed, `looked-${performance.now()}`);
  const { status } = await client.load({ environment, localDir });
  assert.match(status, /^(success|does_not_exist)$/);
  return existsSync(localDir) ? readContents(localDir) : nothing;
}

/** Whether the archive of the highest number has the archive's name: any tool finds it there. */
export function isPublished({ store }: Pick<Scene, "store">): boolean {
  const names = namesIn(join(store, "default"));
  const folder = names.find((name) => name.endsWith(".generations"));
  const newest = folder && namesIn(join(store, "default", folder)).at(-1);
  if (!folder || !newest) return true;
  const archive = folder.slice(1, -".generations".length);
  const inode = (...path: string[]) => statSync(join(store, "default", ...path)).ino;
  return names.includes(archive) && inode(archive) === inode(folder, newest);
}

/** What a local directory holds for its user. What it holds unloaded is nothing to a save either. */
async function lookInDirectory(localDir: string, client: CacheClient): Promise<Contents> {
  const { localExists } = await client.getCacheInfo({ environment, localDir });
  if (!existsSync(localDir)) return nothing;
  const contents = readContents(localDir);
  const wholeFiles = [oldCache, newCache].flatMap((cache) => Object.entries(cache).map(String));
  for (const file of Object.entries(contents))
    assert.ok(wholeFiles.includes(String(file)), file[0]);
  if (!existsSync(join(localDir, ".compilecache-not-loaded"))) {
    assert.equal(localExists, Object.keys(contents).length > 0);
    return contents;
  }
  assert.equal(localExists, false);
  const { status } = await client.save({ environment, localDir, namespace: "unloaded" });
  assert.equal(status, "skipped");
  return nothing;
}

function saveCase(
  name: string,
  ifStoredExists: Policy<SaveInput, "ifStoredExists">,
  stored: Contents,
  saved: Contents,
): CrashCase {
  return {
    name,
    async prepare(scene, client) {
      if (stored !== nothing) await saveFrom(client, oldDir(scene), stored);
    },
    work: (scene, client) => saveFrom(client, newDir(scene), saved, ifStoredExists),
    look: lookInStore,
    outcomes: [stored, saved],
    end: saved,
  };
}

function loadCase(
  name: string,
  dirOf: (scene: Scene) => string,
  ifLocalExists: Policy<LoadInput, "ifLocalExists">,
  before: Contents,
  end: Contents,
): CrashCase {
  return {
    name,
    async prepare(scene, client) {
      await saveFrom(client, newDir(scene), newCache);
      if (before !== nothing) writeContents(dirOf(scene), before);
    },
    async work(scene, client) {
      const localDir = dirOf(scene);
      const { status } = await client.load({ environment, localDir, ifLocalExists });
      assert.match(status, /^(success|skipped)$/);
    },
    look: (scene, client) => lookInDirectory(dirOf(scene), client),
    outcomes: [before, nothing, end],
    end,
  };
}

async function copyTo(client: CacheClient, source: string, destination: string): Promise<void> {
  const { operationId } = await client.startTransfer({ source, destination });
  const { error } = await finalState(client, operationId);
  // The next copy finds what the one that was killed had finished.
  if (error && error.reason !== "INVALID_REQUEST") throw error;
}

/** Each way of saving, loading, clearing and copying. */
export const crashCases: readonly CrashCase[] = [
  saveCase("a first save", "skip", nothing, newCache),
  saveCase("a save that replaces", "replace", oldCache, newCache),
  saveCase("a save that refreshes", "refresh", oldCache, bothCaches),
  {
    // A process that had won is killed, and what it won must be in the next refresh of another.
    ...saveCase("a save that refreshes before another", "refresh", oldCache, bothCaches),
    async look(scene, client) {
      await saveFrom(client, otherDir(scene), otherCache, "refresh");
      assert.ok(isPublished(scene));
      return lookInStore(scene, client);
    },
    outcomes: [
      { ...oldCache, ...otherCache },
      { ...bothCaches, ...otherCache },
    ],
    end: { ...bothCaches, ...otherCache },
  },
  {
    ...saveCase("a save that replaces another format", "replace", oldCache, newCache),
    async prepare(scene, client) {
      writeContents(oldDir(scene), oldCache);
      const { cacheKey } = await client.getCacheInfo({ environment, localDir: oldDir(scene) });
      const directory = join(scene.store, "default");
      mkdirSync(directory);
      const archive = join(directory, `cache_${cacheKey}.latest.tar.gz`);
      execFileSync("tar", ["-czf", archive, "-C", oldDir(scene), "."]);
    },
  },
  loadCase("a load into an absent directory", target, "skip", nothing, newCache),
  loadCase("a load that replaces", target, "replace", oldCache, newCache),
  loadCase("a load into a mount point", mount, "skip", nothing, newCache),
  {
    ...loadCase("a load that finishes another in a mount point", mount, "skip", nothing, newCache),
    async prepare(scene, client) {
      await saveFrom(client, newDir(scene), newCache);
      writeContents(scene.mount, { "only/new.so": "new library", ".compilecache-not-loaded": "" });
    },
  },
  loadCase("a load that merges in a mount point", mount, "merge", oldCache, bothCaches),
  loadCase("a load that replaces in a mount point", mount, "replace", oldCache, newCache),
  {
    name: "a clear",
    prepare: async (scene) => writeContents(target(scene), oldCache),
    async work(scene, client) {
      await client.clearLocalCache({ localDir: target(scene) });
    },
    look: (scene, client) => lookInDirectory(target(scene), client),
    outcomes: [oldCache, nothing],
    end: nothing,
  },
  {
    name: "a copy of a directory",
    prepare: async (scene) => writeContents(newDir(scene), newCache),
    work: (scene, client) => copyTo(client, newDir(scene), target(scene)),
    look: (scene, client) => lookInDirectory(target(scene), client),
    outcomes: [nothing, newCache],
    end: newCache,
  },
  {
    name: "a copy of a file",
    prepare: async (scene) => writeContents(oldDir(scene), { file: "old" }),
    async work(scene, client) {
      writeContents(newDir(scene), { file: "new" });
      await copyTo(client, join(newDir(scene), "file"), join(oldDir(scene), "file"));
    },
    look: async (scene) => ({ file: readFileSync(join(oldDir(scene), "file"), "utf8") }),
    outcomes: [{ file: "old" }, { file: "new" }],
    end: { file: "new" },
  },
];
