import { namespaceMatches } from "../access/caller.ts";
import type { Inventory, StoredFile } from "../store/store.ts";

/** What a store may hold. Ages are in milliseconds, by the store's clock; what is absent has no bound. */
export interface GcPolicy {
  /** Since an archive was written. */
  readonly maxAgeMs?: number;
  /** Since it was last loaded, or written if it never was. */
  readonly maxIdleMs?: number;
  /** Of all archives together. */
  readonly maxBytes?: number;
  readonly maxFiles?: number;
  /** Of the archives in namespaces by a pattern, each namespace by itself; the first that fits counts. */
  readonly quotas?: readonly { readonly namespaces: string; readonly maxBytes: number }[];
  /** Younger archives stay, whatever the bounds say. */
  readonly keepMs: number;
  /** How long what was set aside, and what a writer left, is kept. */
  readonly damagedMs: number;
  readonly unfinishedMs: number;
}

export const defaultGcPolicy: GcPolicy = {
  keepMs: 3_600_000,
  damagedMs: 7 * 24 * 3_600_000,
  unfinishedMs: 24 * 3_600_000,
};

/** A file that is to go, and why. */
export interface Removal {
  readonly file: StoredFile;
  readonly reason: "age" | "idle" | "bytes" | "files" | "quota" | "damaged" | "unfinished";
}

/** What a policy would have removed: see GcPolicy. Of what is over a bound, the least recently used goes first. */
export function planGc({ now, files }: Inventory, policy: GcPolicy): Removal[] {
  const removals: Removal[] = [];
  const since = (date: Date) => now.getTime() - date.getTime();
  const lastUse = ({ modifiedAt, usedAt }: StoredFile) =>
    usedAt && usedAt > modifiedAt ? usedAt : modifiedAt;
  const isOver = (ms: number, most: number | undefined) => most !== undefined && ms > most;

  let archives: StoredFile[] = [];
  for (const file of files) {
    const age = since(file.modifiedAt);
    if (file.kind === "damaged") {
      if (age > policy.damagedMs) removals.push({ file, reason: "damaged" });
    } else if (file.kind === "unfinished") {
      if (age > policy.unfinishedMs) removals.push({ file, reason: "unfinished" });
    } else archives.push(file);
  }

  const oldestFirst = (a: StoredFile, b: StoredFile) =>
    lastUse(a).getTime() - lastUse(b).getTime() || (a.path < b.path ? -1 : 1);
  archives.sort(oldestFirst);
  const remove = (reason: Removal["reason"], goes: (file: StoredFile) => boolean) => {
    archives = archives.filter((file) => {
      if (since(file.modifiedAt) <= policy.keepMs || !goes(file)) return true;
      removals.push({ file, reason });
      return false;
    });
  };
  remove("age", (file) => isOver(since(file.modifiedAt), policy.maxAgeMs));
  remove("idle", (file) => isOver(since(lastUse(file)), policy.maxIdleMs));
  for (const namespace of new Set(archives.map((file) => file.namespace))) {
    const quota = policy.quotas?.find(({ namespaces }) => namespaceMatches(namespace, namespaces));
    if (!quota) continue;
    const own = archives.filter((file) => file.namespace === namespace);
    let bytes = sumOf(own);
    remove("quota", (file) => {
      if (file.namespace !== namespace || bytes <= quota.maxBytes) return false;
      bytes -= file.bytes;
      return true;
    });
  }
  let bytes = sumOf(archives);
  remove("bytes", (file) => {
    if (!isOver(bytes, policy.maxBytes)) return false;
    bytes -= file.bytes;
    return true;
  });
  let count = archives.length;
  remove("files", () => {
    if (!isOver(count, policy.maxFiles)) return false;
    count -= 1;
    return true;
  });
  return removals;
}

/** Archives that a policy would have removed, were they not so young. */
export function youngOverBounds(inventory: Inventory, policy: GcPolicy): StoredFile[] {
  return planGc(inventory, { ...policy, keepMs: Number.NEGATIVE_INFINITY })
    .map(({ file }) => file)
    .filter(
      ({ kind, modifiedAt }) =>
        kind !== "damaged" &&
        kind !== "unfinished" &&
        inventory.now.getTime() - modifiedAt.getTime() <= policy.keepMs,
    );
}

function sumOf(files: readonly StoredFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
