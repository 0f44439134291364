import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { contents, write } from "../trees/refresh-trees.ts";

const filesEach = 3;
const blocks = 64;

/** A cache that tests save: its files tell which one it is, and which save brought them. */
export interface TaggedCache {
  readonly namespace: string;
  readonly environment: { readonly torchVersion: string };
}

const folderOf = ({ namespace, environment }: TaggedCache, save: string) =>
  `${namespace}~${environment.torchVersion}~${save}`;

/** Some kilobytes that do not compress, and that its path determines. */
function contentOf(path: string): Buffer {
  const block = (n: number) => createHash("sha256").update(`${path} ${n}`).digest();
  return Buffer.concat(Array.from({ length: blocks }, (_, n) => block(n)));
}

/** Writes the files of one save. */
export function writeSave(dir: string, cache: TaggedCache, save: string): void {
  const paths = Array.from({ length: filesEach }, (_, n) => `${folderOf(cache, save)}/${n}.bin`);
  write(dir, Object.fromEntries(paths.map((path) => [path, contentOf(path)])));
}

/** Requires that a directory holds whole saves of this cache, one at least, and nothing else. */
export function requireWhole(dir: string, cache: TaggedCache): void {
  const files = Object.entries(contents(dir));
  const saves = new Map<string, number>();
  for (const [path, content] of files) {
    assert.ok(path.startsWith(folderOf(cache, "")), `${path} is of another cache`);
    assert.ok(content === contentOf(path).toString("latin1"), `${path} is not what was saved`);
    saves.set(dirname(path), (saves.get(dirname(path)) ?? 0) + 1);
  }
  assert.ok(saves.size > 0, "a load brought nothing");
  for (const [save, count] of saves) assert.equal(count, filesEach, `of ${save} there is a part`);
}
