import { basename } from "node:path";

/** Where files were saved from and where they are loaded, as their clients see these directories. */
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
  const text = Buffer.from(content).toString("utf8");
  let group: { child_paths?: Record<string, unknown> };
  try {
    group = JSON.parse(text);
  } catch {
    return content;
  }
  const moves = Object.entries(group?.child_paths ?? {}).map(([child, path]) => {
    const isBelow = typeof path === "string" && path.startsWith(`${from}/`);
    return { child, path, moved: isBelow ? to + path.slice(from.length) : path };
  });
  if (moves.every(({ path, moved }) => path === moved)) return content;
  const wanted = JSON.stringify({
    ...group,
    child_paths: Object.fromEntries(moves.map(({ child, moved }) => [child, moved])),
  });
  // As Python wrote it, where that can be: torch's bundle of the kernel holds it so.
  const replaced = moves.reduce(
    (sofar, { path, moved }) => sofar.replaceAll(JSON.stringify(path), () => JSON.stringify(moved)),
    text,
  );
  return Buffer.from(isSameJson(replaced, wanted) ? replaced : wanted);
}

function isSameJson(text: string, json: string): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === json;
  } catch {
    return false;
  }
}
