import { mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const finished = new Date(Date.now() - 60_000);

/** Adds files that were finished a while ago, in a folder of their own. */
export function addFiles(dir: string, folder: string, count: number): void {
  mkdirSync(join(dir, folder), { recursive: true });
  for (let n = 0; n < count; n++) {
    const path = join(dir, folder, `kernel-${n}.json`);
    writeFileSync(path, `${folder} ${n}`);
    utimesSync(path, finished, finished);
  }
}

/** The names of all files below a directory. */
export function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
