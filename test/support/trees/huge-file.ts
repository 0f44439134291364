import { closeSync, ftruncateSync, futimesSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";

/** Just less than a daemon takes by default. */
const hugeBytes = 31 * 2 ** 30;

/**
 * Writes a file into a directory whose save takes far longer than any test, and still stops at once when
 * it is cancelled: 31 GiB that nobody has written to for long, and of which none is on the disk.
 */
export function writeHugeFile(directory: string): void {
  mkdirSync(directory, { recursive: true });
  const file = openSync(join(directory, "huge"), "w");
  ftruncateSync(file, hugeBytes);
  futimesSync(file, new Date(0), new Date(0));
  closeSync(file);
}
