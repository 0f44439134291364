import { basename } from "node:path";
import { readFully } from "../../local/listed-file.ts";
import type { Checkpoint } from "../../local/tree.ts";
import { relocateGraphEntry } from "./graph-entry-paths.ts";
import { maxGroupBytes, relocateGroup } from "./group-paths.ts";
import type { RelocatedContent, Relocation } from "./relocation.ts";

const graphEntryName = /(^|\/)(fxgraph\/[^/]+|aotautograd)\/[^/]+\/[^/]+$/;
const groupName = /^__grp__.*\.json$/;

/** Whether a name is that of an entry of torch's FX graph or AOTAutograd cache. */
export function isGraphEntry(name: string): boolean {
  return graphEntryName.test(name);
}

/** Whether a name is that of the text in which Triton lists a kernel's files. */
export function isGroup(name: string): boolean {
  return groupName.test(basename(name));
}

/** Whether a file may hold paths that move, by its name. */
export function mayRelocate(name: string, { from, to }: Relocation): boolean {
  return from !== to && (isGraphEntry(name) || isGroup(name));
}

/**
 * The content of an open file of `size` bytes with its absolute paths below one directory moved to
 * another; undefined where that is the content as it is. Moving back gives the same bytes, unless some
 * paths were below the new directory before.
 *
 * Triton builds a kernel anew whose group lists files that do not exist. torch's graph entries name
 * the source of each kernel by absolute path, and beside it torch looks for what autotuning found to be
 * best, and tunes anew where that is not found.
 */
export function relocateContent(
  fd: number,
  { name, size }: { name: string; size: number },
  relocation: Relocation,
  checkpoint: Checkpoint,
): RelocatedContent | undefined {
  if (!mayRelocate(name, relocation)) return undefined;
  if (isGraphEntry(name)) return relocateGraphEntry(fd, size, relocation, checkpoint);
  if (size > maxGroupBytes) return undefined;
  const content = Buffer.allocUnsafe(size);
  if (!readFully(fd, 0, content)) return undefined;
  const moved = relocateGroup(content, relocation);
  return moved === content ? undefined : { size: moved.length, pieces: () => [moved] };
}
