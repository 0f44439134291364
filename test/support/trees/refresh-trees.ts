import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const longAgo = new Date("2026-01-02T03:04:05Z");

let written = 0;

/** Writes files that were finished long ago, each time a little less so. */
export function write(dir: string, files: Record<string, string | Buffer>): void {
  const time = new Date(longAgo.getTime() + ++written * 1000);
  for (const [name, content] of Object.entries(files)) {
    const path = join(dir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    utimesSync(path, time, time);
  }
}

/** What a directory holds: each file's bytes, by its path in it. */
export function contents(dir: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) {
      const path = join(entry.parentPath, entry.name);
      files[path.slice(dir.length + 1)] = readFileSync(path, "latin1");
    }
  return files;
}

/** `count` files named after `prefix`. */
export function many(prefix: string, count: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`${prefix}/${i}.json`, `${prefix} ${i}`]),
  );
}
