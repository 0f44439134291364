import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { CacheError } from "../../../domain/cache-error.ts";
import type { FileStoreContext } from "./context.ts";

/** The mount of a root that was out of reach when the store was opened. */
const unknown = Symbol("unknown");

/**
 * Makes a check that a store's root is a directory, and still on the mount that it was on: an unmounted
 * file system leaves a directory on another disk, which no other machine shares. The check throws
 * STORE_UNAVAILABLE, or the file system's own error.
 */
export async function createRootCheck(
  root: string,
  call: FileStoreContext["call"],
): Promise<() => Promise<void>> {
  let mount = await call(() => mountOf(root)).catch(() => unknown);
  return async () => {
    if (!(await fs.stat(root)).isDirectory())
      throw new CacheError("STORE_UNAVAILABLE", `the store ${root} is not a directory`);
    if (mount === unknown) mount = (await mountOf(root)) ?? unknown;
    if (mount === unknown || (typeof mount === "string" && !(await isMount(mount))))
      throw new CacheError("STORE_UNAVAILABLE", `the store ${root} is not mounted`);
  };
}

/** Where the file system that holds a path is mounted; undefined for the root file system. */
async function mountOf(path: string): Promise<string | undefined> {
  let ancestor = await fs.realpath(path);
  while (!(await isMount(ancestor))) {
    if (ancestor === "/") return undefined;
    ancestor = dirname(ancestor);
  }
  return ancestor;
}

async function isMount(path: string): Promise<boolean> {
  const [there, above] = await Promise.all([fs.stat(path), fs.stat(dirname(path))]);
  return there.dev !== above.dev;
}
