import { mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { filesBelow } from "../../../fixtures/compare-trees.ts";

/** What a cache holds: the content of each file by its name. */
export type Contents = Readonly<Record<string, string>>;

export const nothing: Contents = {};
export const oldCache: Contents = { "kernel.cubin": "old kernel", "only/old.so": "old library" };
/** Shares a name with the old one. */
export const newCache: Contents = {
  "kernel.cubin": "new kernel",
  "only/new.so": "new library",
  "deep/er/new.json": "{}",
};
/** Shares no name with either. */
export const otherCache: Contents = { "other/kernel.cubin": "other kernel" };
/** The old one, and what the new one adds to it. */
export const bothCaches: Contents = { ...newCache, ...oldCache };

const finished = new Date(Date.now() - 3_600_000);

/** Makes a directory that holds this, as it was finished a while ago. */
export function writeContents(dir: string, contents: Contents): void {
  mkdirSync(dir, { recursive: true });
  for (const [name, content] of Object.entries(contents)) {
    const path = join(dir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    utimesSync(path, finished, finished);
  }
}

/** What a directory holds, but for what is the daemon's own; nothing if it is absent. */
export function readContents(dir: string): Contents {
  const names = filesBelow(dir).filter((name) => !name.includes(".compilecache-"));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(dir, name), "utf8")]));
}
