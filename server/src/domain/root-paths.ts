/** A directory by the path that its client uses, and another one where links lead to it. */
export interface RootPaths {
  readonly path: string;
  readonly otherPath?: string;
}

/** The paths by which files in a directory may name it. */
export function pathsOf({ path, otherPath }: RootPaths): string[] {
  return otherPath === undefined || otherPath === path ? [path] : [path, otherPath];
}
