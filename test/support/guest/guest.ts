import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeExt4 } from "../machine/ext4.ts";
import type { Lifetime } from "../machine/mounts.ts";
import type { Program } from "../machine/programs.ts";

const init = fileURLToPath(import.meta.resolve("./init.sh"));
const repository = fileURLToPath(import.meta.resolve("../../.."));
const memory = "4096M";

/** What a guest needs on this machine. */
export const guestNeeds: readonly Program[] = [
  "mkfs.ext4",
  "linux.uml",
  "modprobe",
  "mount.nfs",
  "exportfs",
  "rpcbind",
  "ip",
];

/** Disks for guests, and what they write for this machine to read. */
export interface GuestPlace {
  readonly dir: string;
}

/** A User Mode Linux: an NFS server and two clients, over the files of this machine. */
export interface Guest {
  /** The exit status of its command; undefined if it did not come to the end of that. */
  readonly ended: Promise<number | undefined>;
  /** What it has written to its console. */
  console(): string;
  /** As if the power went. */
  kill(): void;
}

/** Where a guest sees something of its own instead of this machine's files. */
const ownInGuest = /^\/(dev|run|mnt|proc|sys|var\/lib\/nfs)\//;

/** Makes empty disks, one of 1 GiB and one of 24 MiB. */
export async function createGuestPlace(scope: Lifetime): Promise<GuestPlace> {
  const dir = mkdtempSync(join(tmpdir(), "compilecache-guest-"));
  for (const path of [repository, dir])
    if (ownInGuest.test(path))
      throw new Error(`a guest cannot see ${path}: have the repository and TMPDIR elsewhere`);
  scope.after(() => rmSync(dir, { recursive: true, force: true }));
  makeExt4(join(dir, "caches.img"), 1024);
  makeExt4(join(dir, "small.img"), 24);
  // Where modprobe looks for the modules of the guest's kernel.
  mkdirSync(join(dir, "modules/lib"), { recursive: true });
  await symlink("/usr/lib/uml/modules", join(dir, "modules/lib/modules"));
  return { dir };
}

/** Boots a guest that runs a shell command in the repository, with `$OUT` as a place for its answers. */
export async function bootGuest(
  scope: Lifetime,
  { dir }: GuestPlace,
  command: string,
  timeoutMs: number,
): Promise<Guest> {
  const status = join(dir, "status");
  rmSync(status, { force: true });
  await writeFile(join(dir, "command.sh"), command);
  const log = join(dir, "console.log");
  const output = createWriteStream(log);
  await once(output, "open");
  const child = spawn(
    "linux.uml",
    [
      `mem=${memory}`,
      `ubd0=${dir}/caches.img`,
      `ubd1=${dir}/small.img`,
      ...["rootfstype=hostfs", "rootflags=/", "rw", `init=${init}`],
      ...["con=null", "con0=null,fd:1", "quiet"],
      `OUT=${dir}`,
      `NODE_DIR=${dirname(process.execPath)}`,
      `REPOSITORY=${repository}`,
    ],
    // It is many processes, which end together only as a group.
    { detached: true, stdio: ["ignore", output, output] },
  );
  const kill = () => {
    try {
      process.kill(-(child.pid as number), "SIGKILL");
    } catch {
      // It has ended.
    }
  };
  scope.after(kill);
  const timer = setTimeout(kill, timeoutMs);
  const ended = once(child, "close").then(() => {
    clearTimeout(timer);
    output.close();
    kill();
    return existsSync(status) ? Number(readFileSync(status, "utf8")) : undefined;
  });
  return { ended, console: () => readFileSync(log, "utf8"), kill };
}
