import { spawnSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";

/** The NFS calls that system calls become; a client may answer GETATTR and OPEN from its own cache. */
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
/** The bytes that NFS moves with one call, with the usual settings of a server. */
const nfsTransferBytes = 1024 ** 2;

/** The calls of a traced daemon on its store. */
export interface FileCalls {
  readonly calls: Record<string, number>;
  readonly upBytes: number;
  readonly downBytes: number;
}

/** The command that runs a program and writes a trace of its calls on files to `file`. */
export function tracing(file: string): readonly string[] {
  if (spawnSync("strace", ["-V"]).status !== 0)
    throw new Error("strace is not installed; it counts the calls on the file store");
  // -D: the program stays our own child, so that signals reach it and not the tracer.
  const options = ["-D", "-f", "-qq", "-y", "--seccomp-bpf", "-s", "0"];
  return ["strace", ...options, "-e", `trace=${Object.keys(nfsCalls)}`, "-o", file];
}

/** Each call reads on in the trace, and counts the new calls on paths below `storeDir`. */
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
      // A call that was interrupted by others has two lines, and only the first one names the file.
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
