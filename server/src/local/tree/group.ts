import { isMapped } from "./id-map.ts";

/** A group, by its number, if it is another than the process's, and the process may give files to it. */
export function otherGroup(gid: number): number | undefined {
  if (gid === process.getegid?.()) return undefined;
  const isRoots = process.geteuid?.() === 0 && isMapped("gid", gid);
  return isRoots || process.getgroups?.().includes(gid) ? gid : undefined;
}
