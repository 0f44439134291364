import { readdirSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { CacheError } from "../../domain/cache-error.ts";
import type { User } from "../../local/open-directory.ts";

/** Node has it, and its types do not. */
const { initgroups } = process as unknown as {
  initgroups: (user: number, extraGroup: number) => void;
};

/** The group of nobody, which owns nothing. */
const noGroup = 65534;

/**
 * Gives up all rights of this process, which is root's, but those of a user: its user, group and further
 * groups. There is no way back, for this process and its threads. Call it before anything else is done.
 * Throws LOCAL_UNAVAILABLE where that may not be done.
 */
export function takeRightsOf({ uid, directoryGid }: User): void {
  try {
    const known = primaryGroupOf(uid);
    const gid = known ?? privateGroupOf(uid, directoryGid);
    if (known === undefined) process.setgroups?.([]);
    else initgroups(uid, gid);
    process.setgid?.(gid);
    process.setuid?.(uid);
  } catch (cause) {
    throw new CacheError(
      "LOCAL_UNAVAILABLE",
      `this daemon is root, but may not become user ${uid}, to whom the directory belongs: give it the ` +
        `capabilities CAP_SETUID and CAP_SETGID, or run it as that user (${cause})`,
      { cause },
    );
  }
  if (uid === 0 || usersOfThreads().some((user) => user !== uid))
    throw new CacheError("INTERNAL", `a process kept more rights than those of user ${uid}`);
}

/** All users that the threads of this process are, were, or may become again, as the kernel says. */
function usersOfThreads(): number[] {
  return readdirSync("/proc/self/task").flatMap((thread) => {
    const status = readFileSync(`/proc/self/task/${thread}/status`, "utf8");
    const [, users = ""] = /^Uid:\s+(.*)$/m.exec(status) ?? [];
    return users.split(/\s+/).map(Number);
  });
}

/** The group that this system's list of users gives a user; undefined for one that it does not know. */
function primaryGroupOf(uid: number): number | undefined {
  // Node looks up the user whose rights are in effect, and no other.
  process.seteuid?.(uid);
  try {
    return userInfo().gid;
  } catch {
    return undefined;
  } finally {
    process.seteuid?.(0);
  }
}

/**
 * The group of a user that the system does not know, as in a container with users of its own: that of
 * the user's number, if the directory has it and no group of the system does. The directory's group alone
 * proves nothing, for in a directory with setgid anyone makes directories of its group.
 */
function privateGroupOf(uid: number, directoryGid: number): number {
  return uid === directoryGid && !isNamedGroup(uid) ? uid : noGroup;
}

function isNamedGroup(gid: number): boolean {
  try {
    const lines = readFileSync("/etc/group", "utf8").split("\n");
    return lines.some((line) => line.split(":")[2] === String(gid));
  } catch {
    return false;
  }
}
