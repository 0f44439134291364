import { basename } from "node:path";
import { readFully } from "../../local/listed-file.ts";
import type { Checkpoint } from "../../local/tree.ts";
import { relocateGraphEntry } from "./graph-entry-paths.ts";
import { maxGroupBytes, relocateGroup } from "./group-paths.ts";
import type { RelocatedContent, Relocation } from "./relocation.ts";

const graphEntryName = /(^|\/)(fxgraph\/[^/]+|aotautograd)\/[^/]+\/[^/]+$/;
const groupName = /^__grp__.*\.json$/;

/** The files that hold absolute paths: entries of torch's graph caches, and Triton's groups. */
export type RelocatedKind = "GRAPH_ENTRY" | "GROUP";

/**
 * Which kind of file, by its name, may hold paths that the relocation changes; undefined if none. This
 * is the one place that knows the kinds: a load relocates a group while its frame is unpacked, for it
 * is small, and a graph entry once it is whole; a refresh relocates either back.
 */
export function relocatedKind(name: string, { from, to }: Relocation): RelocatedKind | undefined {
  if (from === to) return undefined;
  if (graphEntryName.test(name)) return "GRAPH_ENTRY";
  return groupName.test(basename(name)) ? "GROUP" : undefined;
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
  const kind = relocatedKind(name, relocation);
  if (kind === "GRAPH_ENTRY") return relocateGraphEntry(fd, size, relocation, checkpoint);
  if (kind === undefined || size > maxGroupBytes) return undefined;
  const content = Buffer.allocUnsafe(size);
  if (!readFully(fd, 0, content)) return undefined;
  const moved = relocateGroup(content, relocation);
  return moved === content ? undefined : { size: moved.length, pieces: () => [moved] };
}
