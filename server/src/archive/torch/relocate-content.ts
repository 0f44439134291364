import { basename } from "node:path";
import { readFully } from "../../local/tree/listed-file.ts";
import type { Checkpoint } from "../../local/tree/tree.ts";
import { relocateGraphEntry } from "./graph-entry-paths.ts";
import { relocateGroup } from "./group-paths.ts";
import { isHarmless, moveNamedRoot } from "./named-root.ts";
import { changesNothing, type RelocatedContent, type Relocation } from "./relocation.ts";

const graphEntryName = /(^|\/)(fxgraph\/[^/]+|aotautograd)\/[^/]+\/[^/]+$/;
const groupName = /^__grp__.*\.json$/;

// Text by its name, for archives that do not say which files name the directory.
const compileCacheName = /(^|\/)(vllm|sglang)_compile_cache\.py$/;

/**
 * The files that hold absolute paths: entries of torch's graph caches, Triton's groups, text that names
 * the directory, and files that name it in a way that cannot be rewritten.
 */
export type RelocatedKind = "GRAPH_ENTRY" | "GROUP" | "TEXT" | "FIXED";

/** A file, and how a save found it to name the directory, if it did. */
interface NamedFile {
  readonly name: string;
  readonly names_root?: string;
}

/**
 * Which kind of file may hold paths that the relocation changes; undefined if none. This is the one
 * place that knows the kinds: a load relocates what is small while its frame is unpacked, and a graph
 * entry once it is whole; a refresh relocates either back.
 */
export function relocatedKind(file: NamedFile, relocation: Relocation): RelocatedKind | undefined {
  return changesNothing(relocation) ? undefined : pathKind(file);
}

/** Which kind of file holds absolute paths, by its name or what a save found in it. */
function pathKind({ name, names_root }: NamedFile): RelocatedKind | undefined {
  if (graphEntryName.test(name)) return "GRAPH_ENTRY";
  if (groupName.test(basename(name))) return "GROUP";
  if (isHarmless(name)) return undefined;
  if (names_root !== undefined) return names_root === "text" ? "TEXT" : "FIXED";
  return compileCacheName.test(name) ? "TEXT" : undefined;
}

/** Whether a save has to look into a file to learn how it names the directory. */
export function mayNameRoot(name: string): boolean {
  const kind = pathKind({ name });
  return kind === undefined ? !isHarmless(name) : kind === "TEXT";
}

/** Largest text that is rewritten, in bytes: what a save puts into one frame. */
const maxNamedRootBytes = 32 * 1024 * 1024;

/**
 * Rewrites the absolute paths in an open file of `size` bytes from below one directory to below
 * another; returns undefined if that changes nothing. Relocating back gives the same bytes, unless some
 * paths were below the new directory before.
 *
 * Triton compiles a kernel again if its group lists files that do not exist. torch's graph entries name
 * the source of each kernel by absolute path; torch looks beside it for the result of autotuning, and
 * tunes again if there is none. vLLM fails if a graph that it has listed does not exist.
 */
export function relocateContent(
  fd: number,
  { size, ...file }: NamedFile & { size: number },
  relocation: Relocation,
  checkpoint: Checkpoint,
): RelocatedContent | undefined {
  const kind = relocatedKind(file, relocation);
  if (kind === "GRAPH_ENTRY") return relocateGraphEntry(fd, size, relocation, checkpoint);
  if (kind === undefined || size > maxNamedRootBytes) return undefined;
  const content = Buffer.allocUnsafe(size);
  if (!readFully(fd, 0, content)) return undefined;
  const moved = relocateWhole(content, kind, relocation);
  return moved === undefined || moved.equals(content)
    ? undefined
    : { size: moved.length, pieces: () => [moved] };
}

/** The same for the content of a small file; undefined where the paths cannot be rewritten. */
export function relocateWhole(
  content: Buffer,
  kind: RelocatedKind | undefined,
  relocation: Relocation,
): Buffer | undefined {
  if (kind === "GROUP") return relocateGroup(content, relocation);
  if (kind === "TEXT") return moveNamedRoot(content, relocation);
  return kind === "FIXED" ? undefined : content;
}
