/**
 * The permissions with which a file travels: executable or not, for its owner to write, and to be read
 * by those classes of users (group, others) that had any right to it.
 */
export function portableMode(mode: number): number {
  const group = mode & 0o070 ? 0o070 : 0;
  const others = mode & 0o007 ? 0o007 : 0;
  return (mode & 0o111 ? 0o755 : 0o644) & (0o700 | group | others);
}

/**
 * What a file that travelled is made with: the umask decides whether its group may write it, as it
 * does for other programs of that user; others never may.
 */
export function madeFileMode(mode: number): number {
  const portable = portableMode(mode);
  return portable & 0o070 ? portable | 0o020 : portable;
}

/** What directories are made with. */
export const madeDirectoryMode = 0o775;
