import { readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { invalidRequest } from "../cache-service-error.ts";
import { whyNoDirectory, whyNoStore } from "./store-url.ts";

const defaultStoreDirectory = "/cache/model/compile_cache";
const mostLinks = 40;

/**
 * The store that these variables name: `file://` and a path, or `s3://bucket/prefix`. Undefined where
 * they name none, so that any daemon's will do.
 */
export function namedStore(env: NodeJS.ProcessEnv): string | undefined {
  const url = env.COMPILE_CACHE_STORE?.trim();
  if (url) return url.startsWith("file:///") ? `file://${pathOf(url)}` : url.replace(/\/+$/, "");
  const directory = env.B10FS_CACHE_DIR?.trim();
  return directory ? `file://${resolve("/", directory)}` : undefined;
}

/** Throws INVALID_REQUEST, in the daemon's words, where the variables name what cannot be a store. */
export function requireStore(env: NodeJS.ProcessEnv): void {
  const url = env.COMPILE_CACHE_STORE?.trim();
  const directory = env.B10FS_CACHE_DIR?.trim();
  const why = url ? whyNoStore(url) : directory ? whyNoDirectory(directory) : undefined;
  if (why === undefined) return;
  const shown = JSON.stringify((url || directory || "").replace(/(:\/\/)[^/@]*@/g, "$1***@"));
  throw invalidRequest(url ? "COMPILE_CACHE_STORE" : "B10FS_CACHE_DIR", `${shown} ${why}`);
}

/** The store of a daemon that has these variables. */
export function storeOf(env: NodeJS.ProcessEnv): string {
  return namedStore(env) ?? `file://${defaultStoreDirectory}`;
}

/** One text for a store, whatever links lead to it: of a file store's path they are resolved as far as it exists. */
export function storeLocation(store: string): string {
  const path = /^file:\/\/(\/.*)$/s.exec(store)?.[1];
  return path === undefined ? store : `file://${canonical(path)}`;
}

function pathOf(url: string): string {
  const path = url.slice("file://".length);
  try {
    return resolve(decodeURIComponent(path));
  } catch {
    return resolve(path);
  }
}

function canonical(path: string, links = 0): string {
  if (path === "/" || links > mostLinks) return path;
  try {
    return realpathSync(path);
  } catch {
    const above = canonical(dirname(path), links);
    try {
      // It leads to what is not there yet.
      const target = readlinkSync(path);
      return canonical(resolve(above, target), links + 1);
    } catch {
      return join(above, basename(path));
    }
  }
}
