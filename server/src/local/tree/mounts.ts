import * as fs from "node:fs";
import { currentPath } from "./pinned-directory.ts";

/** A mounted file system, or a part of one. */
interface Mount {
  /** Where it is mounted. */
  readonly at: string;
  /** The file system, by its numbers, and the directory in it that is mounted there. */
  readonly device: string;
  readonly root: string;
}

/** What is mounted, as the kernel lists it for this process: what lies over something else comes later. */
function mounts(): Mount[] {
  const unescaped = (text: string) =>
    text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
  const lines = fs.readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return lines.flatMap((line) => {
    const [, , device, root, at] = line.split(" ");
    if (device === undefined || root === undefined || at === undefined) return [];
    return [{ at: unescaped(at), device, root: unescaped(root) }];
  });
}

/** Whether something is mounted at a path. A bind mount has the device of its source, so only the list tells. */
export function isMountPoint(path: string): boolean {
  return mounts().some(({ at }) => at === path);
}

/** Paths below an open directory at which something is mounted. */
export function mountsBelow(fd: number): ReadonlySet<string> {
  const root = `${currentPath(fd).replace(/\/$/, "")}/`;
  const below = mounts().flatMap(({ at }) => (at.startsWith(root) ? [at] : []));
  return new Set(below.map((path) => path.slice(root.length)));
}

/**
 * Whether one of two directories holds the other, or a part of it, by whatever paths and mounts: a bind
 * mount gives a directory a second path. Both paths are without links.
 */
export function reachEachOther(one: string, other: string): boolean {
  const all = mounts();
  const others = placesOf(other, all);
  return placesOf(one, all).some((a) => others.some((b) => isBelow(a, b) || isBelow(b, a)));
}

/** Whether a directory is another one or holds it, by whatever paths and mounts. Both paths are without links. */
export function isOrHolds(directory: string, other: string): boolean {
  if (holds(directory, other)) return true;
  const all = mounts();
  const [own, its] = [directory, other].map((path) =>
    placesOf(path, all).find(({ at }) => at === path),
  );
  return own !== undefined && its !== undefined && isBelow(its, own);
}

/** A directory by its path within its file system, and where it is seen. */
interface Place {
  readonly device: string;
  readonly path: string;
  readonly at: string;
}

/** The place of a directory, and those of all that is mounted below it. */
function placesOf(path: string, all: readonly Mount[]): Place[] {
  const ways = all.filter(({ at }) => holds(at, path));
  const length = Math.max(...ways.map(({ at }) => at.length));
  const way = ways.findLast(({ at }) => at.length === length);
  const below = all.filter(({ at }) => at !== path && holds(path, at));
  const seen = below.map(({ device, root, at }) => ({ device, path: root, at }));
  if (!way) return seen;
  const within = join(way.root, path.slice(way.at.length));
  return [{ device: way.device, path: within, at: path }, ...seen];
}

/** Whether a place lies in another one. Some file systems give all that they have the path `/`, so a look decides. */
function isBelow(place: Place, above: Place): boolean {
  if (place.device !== above.device || !holds(above.path, place.path)) return false;
  return isSameDirectory(place.at, join(above.at, place.path.slice(above.path.length)));
}

function isSameDirectory(one: string, other: string): boolean {
  try {
    const [a, b] = [one, other].map((path) => fs.lstatSync(path, { bigint: true }));
    return a?.dev === b?.dev && a?.ino === b?.ino;
  } catch {
    return false;
  }
}

function join(directory: string, below: string): string {
  return `${directory}/${below}`.replace(/\/+/g, "/").replace(/(?<=.)\/$/, "");
}

function holds(directory: string, path: string): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}
