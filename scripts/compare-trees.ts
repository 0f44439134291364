import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";

/** Paths of the regular files below a directory, relative to it, in order. */
export function filesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
    .sort();
}

/**
 * What is not the same in two directories, one line for each file: missing, extra, or another
 * content, executable bit or modification time (to the second).
 */
export function treeDifferences(
  expectedDir: string,
  actualDir: string,
  isExpected: (path: string) => boolean = () => true,
): string[] {
  const expected = filesBelow(expectedDir).filter(isExpected);
  const actual = new Set(filesBelow(actualDir));
  const differences = expected.flatMap((path) => {
    if (!actual.delete(path)) return [`${path}: missing`];
    const [one, other] = [join(expectedDir, path), join(actualDir, path)];
    const [before, after] = [statSync(one), statSync(other)];
    if (!readFileSync(one).equals(readFileSync(other))) return [`${path}: other content`];
    if ((before.mode & 0o111) !== (after.mode & 0o111)) return [`${path}: other mode`];
    if (Math.trunc(before.mtimeMs / 1000) !== Math.trunc(after.mtimeMs / 1000))
      return [`${path}: other modification time`];
    return [];
  });
  return [...differences, ...[...actual].map((path) => `${path}: extra`)];
}
