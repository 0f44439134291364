import { setTimeout as sleep } from "node:timers/promises";
import { CacheError } from "../../domain/cache-error.ts";
import type { CommitMode } from "../store.ts";
import type { S3Context } from "./context.ts";
import { statusOf } from "./error.ts";
import { etagOf, type FoundObject, isArchive, lookAt, versionOf } from "./found-object.ts";

const attempts = 6;
const firstPauseMs = 100;

/** How often a commit is looked for, with pauses that double: some 3 s in all. */
const looks = 6;
const firstLookPauseMs = 100;

/** What must hold for an object to become visible, as S3 takes it. */
export type Condition = { readonly IfNoneMatch?: "*"; readonly IfMatch?: string };

/** An answer to a call, with how often the client made that. */
export interface Answer {
  readonly $metadata: { readonly attempts?: number | undefined };
}

/** One object that is about to become visible. */
export interface Commit {
  readonly key: string;
  /** Random; no other object's metadata have it. */
  readonly owner: string;
  readonly mode: CommitMode;
  /** Whether the store keeps to the mode's condition; where it does not, the last writer wins. */
  readonly isConditional: boolean;
  /** The call that makes the whole object visible in one step. */
  readonly put: (condition: Condition) => Promise<Answer>;
}

/**
 * Makes an object visible if the mode allows it. The answer may be lost and the call repeated, so after
 * an error the owner of the object that is there decides.
 */
export async function commitObject(
  context: S3Context,
  { key, owner, mode, isConditional, put }: Commit,
): Promise<"committed" | "exists"> {
  let looksFirst = !isConditional && mode !== "replace";
  let understood = true;
  let there: FoundObject | undefined;
  for (let attempt = 1; ; attempt++) {
    if (looksFirst) {
      there = await lookAt(context, key);
      if (forbids(mode, there)) return "exists";
    }
    try {
      const { $metadata } = await put(understood ? conditionOf(mode, there) : {});
      if (($metadata.attempts ?? 1) === 1) return "committed";
    } catch (error) {
      there = await lookAt(context, key).catch(() => {
        throw error;
      });
      if (there?.owner === owner) return "committed";
      if (forbids(mode, there)) return "exists";
      const status = statusOf(error);
      const isUnknownHeader = status === 501 && understood;
      // The object that was in the way has gone meanwhile, or is no archive.
      const mayGoNow = status === 409 || status === 412;
      if (attempt === attempts || !(isUnknownHeader || mayGoNow)) throw error;
      if (isUnknownHeader) {
        understood = false;
        looksFirst = true;
      } else await sleep(Math.random() * firstPauseMs * 2 ** attempt);
      continue;
    }
    return resultOfRepeatedCall(context, { key, owner, mode });
  }
}

/**
 * What a commit did whose call was repeated, by the object that is seen. The success that was reported
 * may mean the first call, which may still fail; and its object may have been replaced since.
 * (versitygw 1.8.0 reports success for each completion of an upload that it completed long ago, or was
 * killed while completing.)
 */
async function resultOfRepeatedCall(
  context: S3Context,
  { key, owner, mode }: Pick<Commit, "key" | "owner" | "mode">,
): Promise<"committed" | "exists"> {
  for (let look = 0; look < looks; look++) {
    const there = await lookAt(context, key);
    if (there?.owner === owner) return "committed";
    if (forbids(mode, there)) return "exists";
    await sleep(firstLookPauseMs * 2 ** look);
  }
  throw new CacheError(
    "STORE_UNAVAILABLE",
    `the store ${context.url} reported a commit that cannot be found there; another may have replaced it at once`,
  );
}

function conditionOf(mode: CommitMode, there: FoundObject | undefined): Condition {
  if (mode === "replace") return {};
  if (typeof mode === "object") return { IfMatch: etagOf(mode.replaces) };
  return there ? { IfMatch: there.etag } : { IfNoneMatch: "*" };
}

function forbids(mode: CommitMode, there: FoundObject | undefined): boolean {
  if (mode === "replace") return false;
  if (mode === "create") return isArchive(there);
  return !there || versionOf(there) !== mode.replaces;
}
