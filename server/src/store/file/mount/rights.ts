import type { Stats } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname } from "node:path";

// "EACCES" tells nobody what to do: whose directory it is does, and how users share one.

/** What a user may not do, in a sentence. */
export interface Refusal {
  readonly text: string;
  /** The file or directory that may not be read; absent where it may not be written. */
  readonly unreadable?: string;
}

const writingCalls = ["mkdir", "rename", "link", "unlink", "rmdir", "rm"];
const howUsersShare = "docs/file-systems.md tells how users share a store";

/** Says what EACCES or EPERM of a call on a path mean: who may not do what, to what of whose. */
export async function describeRefusal(error: NodeJS.ErrnoException): Promise<Refusal> {
  const { path = "/", dest = path, syscall = "" } = error as { dest?: string } & typeof error;
  const who = process.geteuid?.() === 0 ? "root" : `user ${process.geteuid?.()}`;
  if (writingCalls.includes(syscall) || path.endsWith(".partial")) {
    const directory = await nearest(dirname(dest));
    const file = await fs.lstat(dest).catch(() => fs.lstat(path).catch(() => undefined));
    if (isSticky(directory.stat) && file && file.uid !== process.geteuid?.())
      return {
        text: `${who} may not replace or remove a file of user ${file.uid} in ${directory.path} (${ownership(directory.stat)}): run "chmod -t" on that directory as its owner; ${howUsersShare}`,
      };
    if (error.code === "EPERM")
      return {
        text: `${who} may not change ${dest}: the file system or a security module forbids it (EPERM)`,
      };
    return {
      text: `${who} may not write in ${directory.path} (${ownership(directory.stat)}): ${mended(who, "g+ws", directory.path)}`,
    };
  }
  const found = await nearest(path);
  const isFile = found.path === path && found.stat?.isFile() === true;
  return {
    text: `${who} may not read ${found.path} (${ownership(found.stat)}): ${mended(who, isFile ? "g+r" : "g+rx", found.path)}`,
    unreadable: found.path,
  };
}

function mended(who: string, mode: string, path: string): string {
  return who === "root"
    ? `a file server may take root for nobody (root_squash); ${howUsersShare}`
    : `run "chmod ${mode} ${path}" as its owner, and have all users in its group save with umask 002; ${howUsersShare}`;
}

const isSticky = (stat: Stats | undefined) => ((stat?.mode ?? 0) & 0o1000) !== 0;

function ownership(stat: Stats | undefined): string {
  if (!stat) return "whose owner cannot be seen";
  const mode = (stat.mode & 0o7777).toString(8).padStart(4, "0");
  return `of user ${stat.uid} and group ${stat.gid}, mode ${mode}`;
}

/** A path, or the nearest above it that can be looked at: the one that refuses. */
async function nearest(path: string): Promise<{ path: string; stat?: Stats }> {
  const stat = await fs.stat(path).catch(() => undefined);
  if (stat) return { path, stat };
  return path === dirname(path) ? { path } : nearest(dirname(path));
}
