import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { CacheError } from "../../domain/cache-error.ts";
import type { CallGate } from "./call-gate.ts";

/** A root that could not be looked at when the daemon started: it is to come with a mount. */
const unknown = Symbol("unknown");

/**
 * Makes a check that a store's root is there: a directory, and still on the mount that it was on.
 * What is left when a mount goes is a directory on another disk, which nobody shares. The check throws
 * STORE_UNAVAILABLE, or what the file system says.
 */
export async function createRootCheck(root: string, gate: CallGate): Promise<() => Promise<void>> {
  let mount = await gate.run(() => mountOf(root)).catch(() => unknown);
  return async () => {
    if (!(await fs.stat(root)).isDirectory())
      throw new CacheError("STORE_UNAVAILABLE", `the store ${root} is not a directory`);
    if (mount === unknown) mount = (await mountOf(root)) ?? unknown;
    if (mount === unknown || (typeof mount === "string" && !(await isMount(mount))))
      throw new CacheError("STORE_UNAVAILABLE", `the store ${root} is not mounted`);
  };
}

/** Where the file system that holds a path is mounted; undefined for the root of all. */
async function mountOf(path: string): Promise<string | undefined> {
  let place = await fs.realpath(path);
  while (!(await isMount(place))) {
    if (place === "/") return undefined;
    place = dirname(place);
  }
  return place;
}

async function isMount(path: string): Promise<boolean> {
  const [there, above] = await Promise.all([fs.stat(path), fs.stat(dirname(path))]);
  return there.dev !== above.dev;
}
