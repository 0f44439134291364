import { mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { filesBelow } from "../../../fixtures/compare-trees.ts";

const fileCount = 40;
const finished = new Date(Date.now() - 60_000);

/** Writes a version of a cache: the same names for all, but contents that tell which one it is. */
export function writeVersion(dir: string, version: number): void {
  for (let n = 0; n < fileCount; n++) {
    const path = join(dir, nameOf(n));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, contentOf(version, n));
    utimesSync(path, finished, finished);
  }
}

/** Makes a version look as if it were written still, at that time. */
export function touchVersion(dir: string, modifiedAt: Date): void {
  utimesSync(join(dir, nameOf(0)), modifiedAt, modifiedAt);
}

/** Which version a directory holds, whole. Throws if it holds anything else. */
export function versionIn(dir: string): number {
  const names = filesBelow(dir);
  const version = Number(readFileSync(join(dir, nameOf(0)), "latin1").split(" ")[0]);
  const expected = Array.from({ length: fileCount }, (_, n) => nameOf(n)).sort();
  if (JSON.stringify(names) !== JSON.stringify(expected))
    throw new Error(`${dir} holds ${names.length} files: ${names.join(", ")}`);
  for (let n = 0; n < fileCount; n++)
    if (readFileSync(join(dir, nameOf(n)), "latin1") !== contentOf(version, n))
      throw new Error(`${dir}: ${nameOf(n)} is not of version ${version}`);
  return version;
}

function nameOf(n: number): string {
  return `${n % 30}/kernel-${n}.cubin`;
}

function contentOf(version: number, n: number): string {
  return `${version} ${n} `.repeat(1 + n * 100);
}
