import type { Relocation } from "./relocation.ts";

/**
 * Moves the paths in a Triton group, the JSON text that lists a kernel's files, along. Returns the very
 * content that came where it is none, or holds no path below the old directory.
 */
export function moveGroup(content: Uint8Array, { from, to }: Relocation): Uint8Array {
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
