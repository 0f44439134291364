import { basename } from "node:path";

/** Where a cache was saved from and where it is loaded, as their clients see these directories. */
export interface Relocation {
  readonly from: string;
  readonly to: string;
}

/**
 * Triton lists the files of a kernel by absolute path in `__grp__*.json`, and builds the kernel anew
 * where these do not exist. Returns such a file's content with its paths moved along; anything else,
 * and paths that were never below the old directory, as they are.
 */
export function relocate(name: string, content: Uint8Array, { from, to }: Relocation): Uint8Array {
  const file = basename(name);
  if (from === to || !file.startsWith("__grp__") || !file.endsWith(".json")) return content;
  let group: { child_paths?: Record<string, unknown> };
  try {
    group = JSON.parse(Buffer.from(content).toString("utf8"));
  } catch {
    return content;
  }
  const paths = Object.entries(group?.child_paths ?? {});
  const moved = paths.map(([child, path]) => [child, movePath(path, { from, to })]);
  if (moved.every(([, path], i) => path === paths[i]?.[1])) return content;
  return Buffer.from(JSON.stringify({ ...group, child_paths: Object.fromEntries(moved) }));
}

function movePath(path: unknown, { from, to }: Relocation): unknown {
  if (typeof path !== "string" || !path.startsWith(`${from}/`)) return path;
  return to + path.slice(from.length);
}
