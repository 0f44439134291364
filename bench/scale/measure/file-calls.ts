import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";

/** System calls as an NFS client passes them on; it may answer looks and opens from what it knows. */
const nfsCalls: Record<string, string> = {
  openat: "OPEN",
  read: "READ",
  pread64: "READ",
  write: "WRITE",
  pwrite64: "WRITE",
  fsync: "COMMIT",
  newfstatat: "GETATTR",
  statx: "GETATTR",
  fstat: "GETATTR",
  statfs: "GETATTR",
  access: "GETATTR",
  readlink: "GETATTR",
  getdents64: "READDIR",
  mkdir: "CREATE",
  link: "LINK",
  rename: "RENAME",
  unlink: "REMOVE",
};
/** What NFS moves with one call, where the server allows the usual size. */
const nfsTransferBytes = 1024 ** 2;

/** What a traced daemon has done in its store since the last look. */
export interface FileCalls {
  readonly calls: Record<string, number>;
  readonly upBytes: number;
  readonly downBytes: number;
}

/** The command that has a program's calls on files traced into `file`. */
export function tracing(file: string): readonly string[] {
  if (spawnSync("strace", ["-V"]).status !== 0)
    throw new Error("strace is not installed; it counts the calls on the file store");
  // The program keeps its place as our child, so that it is stopped as always.
  const options = ["-D", "-f", "-qq", "-y", "--seccomp-bpf", "-s", "0"];
  return ["strace", ...options, "-e", `trace=${Object.keys(nfsCalls)}`, "-o", file];
}

/** Reads a trace on, and counts the calls that name something below `storeDir`. */
export function createFileCallCounter(trace: string, storeDir: string): () => FileCalls {
  let offset = 0;
  return () => {
    const end = statSync(trace).size;
    const lines = readFileSync(trace).subarray(offset, end).toString("latin1").split("\n");
    offset = end;
    const calls: Record<string, number> = {};
    const bytes = { READ: 0, WRITE: 0 };
    const unfinished = new Map<string, string>();
    for (const line of lines) {
      const [, thread = "", text = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
      // A call that others came between stands on two lines, and only the first names the file.
      if (text.endsWith("<unfinished ...>")) {
        unfinished.set(thread, text);
        continue;
      }
      const begun = text.startsWith("<... ") ? unfinished.get(thread) : undefined;
      const [, call = ""] = /^(\w+)\(/.exec(begun ?? text) ?? [];
      const kind = nfsCalls[call];
      if (!kind || !(begun ?? text).includes(storeDir)) continue;
      const moved = Number(/= (\d+)$/.exec(text)?.[1] ?? 0);
      const times = kind in bytes ? Math.max(1, Math.ceil(moved / nfsTransferBytes)) : 1;
      calls[kind] = (calls[kind] ?? 0) + times;
      if (kind === "READ" || kind === "WRITE") bytes[kind] += moved;
    }
    return { calls, upBytes: bytes.WRITE, downBytes: bytes.READ };
  };
}
