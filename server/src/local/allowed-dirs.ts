import * as fs from "node:fs";
import { dirname, isAbsolute, normalize } from "node:path";
import { CacheError, invalidField } from "../domain/cache-error.ts";
import { throughOwnLinks } from "./own-links.ts";

/** A directory that clients may name: its path as clients see it, and as the daemon does. */
export interface AllowedDir {
  readonly clientPath: string;
  readonly daemonPath: string;
  /** Whether somebody said how the two belong together, so that nobody need compare them. */
  readonly mapped?: boolean;
  /**
   * Of the root directory: whether links on the way to what a client names are followed, where nobody but
   * root and the daemon's own user can have made them.
   */
  readonly throughLinks?: boolean;
}

/**
 * A path inside an allowed directory: the root, and the names below it, each of which is opened by
 * itself.
 */
export interface AllowedPath {
  /** The allowed directory, its links resolved when the daemon started. */
  readonly root: string;
  /** Names below the root, none of them `.` or `..`. */
  readonly below: readonly string[];
  /** The whole path, as the daemon sees it. */
  readonly path: string;
  /** The same path as the client names it. */
  readonly clientPath: string;
  /** Another path of it that clients may use: with links resolved, or with the link that leads to it. */
  readonly otherPath?: string;
  /** Whether it lies in a directory of which somebody said where the daemon sees it. */
  readonly mapped?: boolean;
  /** A directory, the store's, that it may neither hold nor lie in, by no mount either. */
  readonly apartFrom?: string;
}

export interface AllowedDirs {
  /** Checks a client's path. Throws INVALID_REQUEST (naming `field`) or PATH_NOT_ALLOWED. */
  resolve(clientPath: string, field: string): AllowedPath;
}

/**
 * Creates the check of clients' paths. Links in the allowed directories themselves are resolved now.
 * Errors name what allows them, `saidBy`.
 */
export function createAllowedDirs(
  dirs: readonly AllowedDir[],
  saidBy = "COMPILE_CACHE_ALLOWED_DIRS",
): AllowedDirs {
  const asClientsSay = dirs.map(
    ({ clientPath, daemonPath, mapped = false, throughLinks = false }) => {
      const prefix = withoutSlash(normalize(clientPath));
      const root = canonical(daemonPath);
      // Where the daemon sees a directory elsewhere, its path for it means nothing to clients.
      const isLink = prefix === withoutSlash(normalize(daemonPath)) && prefix !== root;
      return { prefix, root, mapped, throughLinks, ...(isLink ? { other: root } : {}) };
    },
  );
  const asTheyAre = asClientsSay.map(({ prefix, root, mapped, throughLinks, other }) => ({
    prefix: root,
    root,
    mapped,
    throughLinks,
    ...(other === undefined ? {} : { other: prefix }),
  }));
  // A client's name for a directory wins over the daemon's, and a longer name over a shorter one.
  const byLength = (a: { prefix: string }, b: { prefix: string }) =>
    b.prefix.length - a.prefix.length;
  const roots = [...asClientsSay.toSorted(byLength), ...asTheyAre.toSorted(byLength)];
  return {
    resolve(clientPath, field) {
      if (!isAbsolute(clientPath) || clientPath.includes("\0"))
        throw invalidField(field, `${JSON.stringify(clientPath)} is not an absolute path`);
      const path = withoutSlash(normalize(clientPath));
      requireUsableLength(path, field);
      const found = roots.find(({ prefix }) => isWithin(path, prefix));
      if (found) {
        const { prefix, root, mapped, throughLinks, other } = found;
        const resolved = throughLinks ? throughOwnLinks(path) : path;
        const below = resolved.slice(prefix.length).split("/").filter(Boolean);
        const pathIn = (dir: string) => [dir === "/" ? "" : dir, ...below].join("/") || "/";
        const otherPath = resolved === path ? other && pathIn(other) : resolved;
        return {
          root,
          below,
          path: pathIn(root),
          clientPath: path,
          mapped,
          ...(otherPath === undefined ? {} : { otherPath }),
        };
      }
      throw new CacheError(
        "PATH_NOT_ALLOWED",
        `${field} ${JSON.stringify(path)} is outside the allowed directories (${saidBy}): ` +
          `${asClientsSay.map(({ prefix }) => prefix).join(", ") || "none"}. Name one in there, or have the ` +
          "daemon started with this one allowed too",
      );
    },
  };
}

// The limits of Linux: a longer path could not be opened anyway.
const longestNameBytes = 255;
const longestPathBytes = 4095;

function requireUsableLength(path: string, field: string): void {
  if (Buffer.byteLength(path) > longestPathBytes)
    throw invalidField(field, `is longer than ${longestPathBytes} bytes`);
  const name = path.split("/").find((part) => Buffer.byteLength(part) > longestNameBytes);
  if (name !== undefined)
    throw invalidField(field, `holds a name longer than ${longestNameBytes} bytes: ${name}`);
}

/** Whether a normalised path is a directory or below it. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === "/" || path.startsWith(`${directory}/`);
}

/** Whether one of two normalised paths is the other or below it. */
export function overlap(one: string, other: string): boolean {
  return isWithin(one, other) || isWithin(other, one);
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}

/** The path with links resolved as far as it exists. */
export function canonical(path: string): string {
  const plain = withoutSlash(normalize(path));
  try {
    return fs.realpathSync(plain);
  } catch {
    const parent = canonical(dirname(plain));
    return `${parent === "/" ? "" : parent}/${plain.slice(plain.lastIndexOf("/") + 1)}`;
  }
}
