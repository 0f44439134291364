import { closeSync, ftruncateSync, futimesSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";

const mebibyte = 1024 * 1024;
const finished = new Date(Date.now() - 60_000);

/** Makes a cache that takes half a second to save, load or copy, and no room: one file, all hole. */
export function writeLargeCache(dir: string, mebibytes = 256): void {
  mkdirSync(dir, { recursive: true });
  const file = openSync(join(dir, "large.bin"), "w");
  ftruncateSync(file, mebibytes * mebibyte);
  futimesSync(file, finished, finished);
  closeSync(file);
}
