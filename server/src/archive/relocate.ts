import { basename, dirname } from "node:path";

const maxGroupBytes = 1024 * 1024;

/** Whether a file lists the files of a Triton kernel, by absolute paths. */
export function isKernelGroup(name: string, size: number): boolean {
  const file = basename(name);
  return file.startsWith("__grp__") && file.endsWith(".json") && size <= maxGroupBytes;
}

/**
 * Triton lists the files of a kernel by absolute path in `__grp__*.json` beside them, and builds the
 * kernel anew where these do not exist. Returns such a file's content with the paths of its
 * neighbours moved to where they are in `localDir`, wherever they were when it was written: a cache
 * may be the union of several directories. Anything else comes back as it is.
 */
export function relocate(name: string, content: Uint8Array, localDir: string): Uint8Array {
  if (!isKernelGroup(name, content.length)) return content;
  const text = Buffer.from(content).toString("utf8");
  let group: { child_paths?: Record<string, unknown> };
  try {
    group = JSON.parse(text);
  } catch {
    return content;
  }
  const folder = dirname(name) === "." ? "" : `/${dirname(name)}`;
  const paths = Object.entries(group?.child_paths ?? {});
  const moved = paths.map(([child, path]) => {
    const isNeighbour = typeof path === "string" && path.endsWith(`${folder}/${child}`);
    return { child, from: path, to: isNeighbour ? `${localDir}${folder}/${child}` : path };
  });
  if (moved.every(({ from, to }) => from === to)) return content;
  const wanted = JSON.stringify({
    ...group,
    child_paths: Object.fromEntries(moved.map(({ child, to }) => [child, to])),
  });
  // As Python wrote it, where that can be: torch's bundle of the kernel holds it so.
  const replaced = moved.reduce(
    (sofar, { from, to }) => sofar.replaceAll(JSON.stringify(from), () => JSON.stringify(to)),
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
