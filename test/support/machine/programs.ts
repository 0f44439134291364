import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { cannotMount } from "./mounts.ts";
import { runsAll } from "./tools.ts";

/** Debian's programs that these tests use, and the packages that `npm run test:stores` gets them from. */
export const packageOf = {
  "mkfs.ext4": "e2fsprogs",
  "mkfs.xfs": "xfsprogs",
  "mkfs.btrfs": "btrfs-progs",
  sshfs: "sshfs",
  fusermount3: "fuse3",
  "/usr/lib/openssh/sftp-server": "openssh-sftp-server",
  "linux.uml": "user-mode-linux",
  modprobe: "kmod",
  "mount.nfs": "nfs-common",
  exportfs: "nfs-kernel-server",
  rpcbind: "rpcbind",
  ip: "iproute2",
} as const;
export type Program = keyof typeof packageOf;

export const programs = Object.keys(packageOf) as Program[];
const places = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];

/** Where a program is, also where the PATH lacks the administrator's; undefined if it is not installed. */
export function findProgram(program: Program): string | undefined {
  const paths = program.startsWith("/") ? [program] : places.map((place) => join(place, program));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export function hasProgram(program: Program): boolean {
  return findProgram(program) !== undefined;
}

/**
 * Why tests on mounts that need these programs are left out; false where they run. Throws where
 * nothing is to be left out.
 */
export function cannotRun(...needed: Program[]): string | false {
  const missing = needed.filter((program) => !hasProgram(program));
  const why = missing.length > 0 && `${missing.map((name) => packageOf[name])} not installed`;
  const reason = why || cannotMount;
  if (reason && runsAll) throw new Error(`nothing may be left out, but ${reason}`);
  return reason && `${reason}; npm run test:stores, as root, runs it`;
}
