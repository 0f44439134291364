/**
 * The permissions with which a file travels: executable or not, for its owner to write, and to be read
 * by those classes of users (group, others) that had any right to it.
 */
export function portableMode(mode: number): number {
  const group = mode & 0o070 ? 0o070 : 0;
  const others = mode & 0o007 ? 0o007 : 0;
  return (mode & 0o111 ? 0o755 : 0o644) & (0o700 | group | others);
}
