import * as fs from "node:fs";
import { currentPath } from "./pinned-directory.ts";

/** Where file systems are mounted, as the kernel lists it for this process. */
function mountPoints(): string[] {
  const lines = fs.readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const unescaped = (text: string) =>
    text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
  return lines.flatMap((line) => line.split(" ")[4] ?? []).map(unescaped);
}

/** Whether something is mounted at a path. A bind mount has the device of its source, so only the list tells. */
export function isMountPoint(path: string): boolean {
  return mountPoints().includes(path);
}

/** Paths below an open directory at which something is mounted. */
export function mountsBelow(fd: number): ReadonlySet<string> {
  const root = `${currentPath(fd).replace(/\/$/, "")}/`;
  const below = mountPoints().filter((path) => path.startsWith(root));
  return new Set(below.map((path) => path.slice(root.length)));
}
