import * as fs from "node:fs/promises";
import { dirname, join, relative } from "node:path";

/**
 * Whether an open file lies where its path says, as the kernel tells: a folder on the way may have been
 * exchanged for a link since it was looked at. Only the root may be one.
 */
export async function liesAt(file: fs.FileHandle, root: string, path: string): Promise<boolean> {
  const folder = join(await fs.realpath(root), relative(root, dirname(path)));
  return dirname(await fs.readlink(`/proc/self/fd/${file.fd}`)) === folder;
}
