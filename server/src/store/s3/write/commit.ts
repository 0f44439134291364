import { setTimeout as sleep } from "node:timers/promises";
import { CacheError } from "../../../domain/cache-error.ts";
import type { CommitMode } from "../../store.ts";
import type { S3Context } from "../calls/context.ts";
import { statusOf } from "../calls/error.ts";
import {
  etagOf,
  type FoundObject,
  isArchive,
  lookAt,
  readAt,
  saysTwoThings,
  versionOf,
} from "../calls/found-object.ts";

const attempts = 6;
const firstPauseMs = 100;

/** How often a commit is looked for, with pauses that double: some 3 s in all. */
const looks = 6;
const firstLookPauseMs = 100;

/** What must hold for an object to become visible, as S3 takes it. */
export type Condition = { readonly IfNoneMatch?: "*"; readonly IfMatch?: string };

/** One object that is about to become visible. */
export interface Commit {
  readonly key: string;
  /** Random; no other object's metadata have it. */
  readonly owner: string;
  /** How many bytes it has. */
  readonly bytes: number;
  readonly mode: CommitMode;
  /** Whether the store keeps to the mode's condition; where it does not, the last writer wins. */
  readonly isConditional: boolean;
  /** The call that makes the whole object visible in one step. */
  readonly put: (condition: Condition) => Promise<unknown>;
}

/**
 * Makes an object visible if the mode allows it. What a call answers is not believed alone: its success
 * may be one that a repeated call was told of, or the word of a server that stored nothing; its failure
 * may be a lost answer. The object that is there decides, by its owner and its length.
 */
export async function commitObject(
  context: S3Context,
  { put, isConditional, ...commit }: Commit,
): Promise<"committed" | "exists"> {
  const { key, mode } = commit;
  // What an unconditional commit replaces; if it is there afterwards, nothing was committed.
  const before =
    mode === "replace" ? await lookAt(context, key).catch(() => "unknown" as const) : undefined;
  // That an archive may be replaced was read from one answer; its version is looked at once more.
  let looksFirst = typeof mode === "object" || (!isConditional && mode === "create");
  let understood = true;
  let there: FoundObject | undefined;
  for (let attempt = 1; ; attempt++) {
    if (looksFirst) {
      there = await lookAt(context, key);
      const verdict = await judge(context, commit, there);
      if (verdict === "ours") return "committed";
      if (verdict === "in the way") return "exists";
      if (verdict === "unclear") {
        if (attempt === attempts) throw saysTwoThings(context, key);
        await pause(attempt);
        continue;
      }
    }
    try {
      await put(understood ? conditionOf(mode, there) : {});
    } catch (error) {
      there = await lookAt(context, key).catch(() => {
        throw error;
      });
      const verdict = await judge(context, commit, there);
      if (verdict === "ours") return "committed";
      if (verdict === "in the way") return "exists";
      if (verdict === "unclear") {
        if (attempt === attempts) throw saysTwoThings(context, key);
        there = undefined;
        await pause(attempt);
        continue;
      }
      const status = statusOf(error);
      const isUnknownHeader = status === 501 && understood && !isConditional;
      // The object that was in the way has gone meanwhile, or is no archive.
      const mayGoNow = status === 409 || status === 412;
      if (attempt === attempts || !(isUnknownHeader || mayGoNow)) throw error;
      if (isUnknownHeader) {
        understood = false;
        looksFirst = true;
      } else await pause(attempt);
      continue;
    }
    return resultByWhatIsThere(context, commit, before);
  }
}

/**
 * What a commit that was reported did, by the object that is seen, which may have been replaced since.
 * (versitygw 1.8.0 reports success for each completion of an upload that it completed long ago, or was
 * killed while completing.)
 */
async function resultByWhatIsThere(
  context: S3Context,
  commit: Omit<Commit, "put" | "isConditional">,
  before: FoundObject | "unknown" | undefined,
): Promise<"committed" | "exists"> {
  const { key, mode } = commit;
  const isNewer = (there: FoundObject) =>
    before !== "unknown" && (!before || versionOf(there) !== versionOf(before));
  let there: FoundObject | undefined;
  for (let look = 0; look < looks; look++) {
    there = await lookAt(context, key);
    const verdict = await judge(context, commit, there);
    if (verdict === "ours") return "committed";
    if (verdict === "in the way") return "exists";
    if (mode === "replace" && there && there.owner !== commit.owner && isNewer(there))
      return "committed";
    await sleep(firstLookPauseMs * 2 ** look);
  }
  throw new CacheError(
    "STORE_UNAVAILABLE",
    `the store ${context.url} reported a commit of ${commit.bytes} bytes that cannot be found there; ` +
      `it has ${there ? `an object of ${there.bytes} bytes` : "nothing"} at its place`,
  );
}

type Verdict = "free" | "in the way" | "ours" | "unclear";

/**
 * Whether what was found is what was to be committed, or forbids that. That another archive is there is
 * asked once more, by GET: who is told so compares with that one, or takes it for saved.
 */
async function judge(
  context: S3Context,
  commit: Pick<Commit, "key" | "mode" | "owner" | "bytes">,
  there: FoundObject | undefined,
): Promise<Verdict> {
  if (isThat(commit, there)) return "ours";
  if (!forbids(commit.mode, there)) return "free";
  const seen = await readAt(context, commit.key);
  if (isThat(commit, seen)) return "ours";
  return forbids(commit.mode, seen) ? "in the way" : "unclear";
}

function pause(attempt: number): Promise<void> {
  return sleep(Math.random() * firstPauseMs * 2 ** attempt);
}

function isThat({ owner, bytes }: Pick<Commit, "owner" | "bytes">, there?: FoundObject): boolean {
  return there?.owner === owner && there.bytes === bytes;
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
