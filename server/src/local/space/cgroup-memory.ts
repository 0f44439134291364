import * as fs from "node:fs";

/** Memory of this process's cgroups, in bytes; Infinity without a limit. */
export interface CgroupMemory {
  /** The least limit of the group and those above it. */
  readonly limitBytes: number;
  /** What they still allow this process to take, to write to tmpfs for example. */
  readonly freeBytes: number;
}

const version1 = {
  limit: "memory.limit_in_bytes",
  used: "memory.usage_in_bytes",
  reclaimable: "total_inactive_file",
};
const version2 = { limit: "memory.max", used: "memory.current", reclaimable: "inactive_file" };

/** Reads the limits of both versions of cgroups. Node's own figure leaves out the groups above. */
export function cgroupMemory(
  procCgroup = "/proc/self/cgroup",
  root = "/sys/fs/cgroup",
): CgroupMemory {
  const groups = readText(procCgroup)
    .split("\n")
    .flatMap((line) => {
      const [, controllers, path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      if (controllers === "") return groupsUp(root, path, version2);
      if (controllers?.split(",").includes("memory"))
        return groupsUp(`${root}/memory`, path, version1);
      return [];
    });
  return {
    limitBytes: Math.min(Number.POSITIVE_INFINITY, ...groups.map(({ limitBytes }) => limitBytes)),
    freeBytes: Math.min(Number.POSITIVE_INFINITY, ...groups.map(({ freeBytes }) => freeBytes)),
  };
}

// Limits of the groups above count too. Page cache that can be dropped does not count as used. In a
// container the path may be the host's, while the mount shows only the container's part: then only that
// is read.
function groupsUp(mount: string, path: string, files: typeof version2): CgroupMemory[] {
  const parts = fs.existsSync(`${mount}${path}`) ? path.split("/").filter(Boolean) : [];
  const groups: CgroupMemory[] = [];
  for (let depth = parts.length; depth >= 0; depth--) {
    const directory = [mount, ...parts.slice(0, depth)].join("/");
    const limitBytes = Number(readText(`${directory}/${files.limit}`).trim() || "max");
    if (!Number.isFinite(limitBytes) || limitBytes >= 2 ** 60) continue;
    const used = Number(readText(`${directory}/${files.used}`).trim() || "0");
    const stat = readText(`${directory}/memory.stat`);
    const reclaimable = new RegExp(`^${files.reclaimable} (\\d+)$`, "m").exec(stat)?.[1] ?? 0;
    const freeBytes = Math.max(0, limitBytes - used + Number(reclaimable));
    groups.push({ limitBytes, freeBytes });
  }
  return groups;
}

function readText(path: string): string {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
