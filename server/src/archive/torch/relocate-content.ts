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

/** Whether a name is that of a Triton group, the JSON text that lists a kernel's files. */
export function isGroup(name: string): boolean {
  return groupName.test(basename(name));
}

/** Whether a file of this name may hold paths that the relocation changes. */
export function mayRelocate(name: string, { from, to }: Relocation): boolean {
  return from !== to && (isGraphEntry(name) || isGroup(name));
}

/**
 * Rewrites the absolute paths in an open file of `size` bytes from below one directory to below
 * another; returns undefined if that changes nothing. Relocating back gives the same bytes, unless some
 * paths were below the new directory before.
 *
 * Triton compiles a kernel again if its group lists files that do not exist. torch's graph entries name
 * the source of each kernel by absolute path; torch looks beside it for the result of autotuning, and
 * tunes again if there is none.
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
