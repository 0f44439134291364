import * as fs from "node:fs";

/**
 * Whether a user or group exists in this process's user namespace, as in a container without its machine's
 * root. What belongs to others is shown as 65534's there, and root has no more rights over it than anybody.
 */
export function isMapped(kind: "uid" | "gid", id: number): boolean {
  const ranges = fs.readFileSync(`/proc/self/${kind}_map`, "utf8").trim().split("\n");
  return ranges.some((range) => {
    const [first = 0, , count = 0] = range.trim().split(/\s+/).map(Number);
    return id >= first && id < first + count;
  });
}
