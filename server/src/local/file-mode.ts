/**
 * The permissions with which a file travels: its owner's alone or everybody's to read, and executable
 * or not. More would not fit another machine's users.
 */
export function portableMode(mode: number): number {
  const bits = mode & 0o111 ? 0o755 : 0o644;
  return mode & 0o077 ? bits : bits & 0o700;
}
