import { movedPath, type Relocation } from "./relocation.ts";

/** Largest group that is rewritten, in bytes. Real groups have less than 2 KiB. */
export const maxGroupBytes = 64 * 1024;

/**
 * Rewrites the paths in a Triton group, the JSON text that lists a kernel's files. Returns `content`
 * itself if it is not a group, holds no path below the old directory, or is or would become larger than
 * `maxGroupBytes`.
 */
export function relocateGroup(content: Buffer, relocation: Relocation): Buffer {
  if (content.length > maxGroupBytes) return content;
  let moved: string | undefined;
  try {
    moved = moveText(content.toString("utf8"), relocation);
  } catch {
    // Not JSON, or nested too deeply.
    return content;
  }
  if (moved === undefined || Buffer.byteLength(moved) > maxGroupBytes) return content;
  return Buffer.from(moved);
}

function moveText(text: string, relocation: Relocation): string | undefined {
  const group: { child_paths?: Record<string, unknown> } | null = JSON.parse(text);
  const children = Object.entries(group?.child_paths ?? {});
  const written = new Map<string, string>();
  const moved = children.map(([child, path]) => {
    const there = typeof path === "string" ? movedPath(path, relocation) : undefined;
    if (typeof path !== "string" || there === undefined) return [child, path];
    written.set(asPython(path), asPython(there));
    return [child, there];
  });
  if (written.size === 0) return undefined;
  const wanted = JSON.stringify({ ...group, child_paths: Object.fromEntries(moved) });
  // Keep Python's formatting if possible: torch's bundle of the kernel holds the group in it.
  const replaced = text.replace(quoted, (value) => written.get(value) ?? value);
  return JSON.stringify(JSON.parse(replaced)) === wanted ? replaced : wanted;
}

const quoted = /"[^"\\]*(?:\\.[^"\\]*)*"/g;

/** A JSON string as Python writes it. */
function asPython(text: string): string {
  return JSON.stringify(text).replace(
    /[^ -~]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
