import { pathsOf, type RootPaths } from "../../domain/root-paths.ts";

/**
 * The directory that files were saved from and the one that they are loaded into, each by the path that
 * its client sees.
 */
export interface Relocation {
  readonly from: string;
  readonly to: string;
  /** Another path of the first directory, where links lead to it. */
  readonly alsoFrom?: string;
}

/** What becomes of paths below one directory when files of it are put into another. */
export function relocationBetween(from: RootPaths, to: RootPaths): Relocation {
  const isHere = (path: string) => path === to.path || path === to.otherPath;
  const [first = to.path, second] = pathsOf(from).filter((path) => !isHere(path));
  return { from: first, to: to.path, ...(second === undefined ? {} : { alsoFrom: second }) };
}

/** Whether a relocation leaves all paths as they are. */
export function changesNothing({ from, to }: Relocation): boolean {
  return from === to;
}

/** A path below the old directory as it is below the new one; undefined for any other path. */
export function movedPath(path: string, relocation: Relocation): string | undefined {
  const from = oldRootOf(path, relocation);
  return from === undefined ? undefined : relocation.to + path.slice(from.length);
}

/** Which path of the old directory a path below it starts with. */
export function oldRootOf(path: string, { from, alsoFrom }: Relocation): string | undefined {
  if (path.startsWith(`${from}/`)) return from;
  return alsoFrom !== undefined && path.startsWith(`${alsoFrom}/`) ? alsoFrom : undefined;
}

/** The content of a file after its paths were rewritten. Sizes are in bytes. */
export interface RelocatedContent {
  readonly size: number;
  /** Its content; each piece is valid only until the next is taken. */
  pieces(): Iterable<Uint8Array>;
}
