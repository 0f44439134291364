import { harmless } from "./harmless-text.ts";

/** Why a save leaves files out; the contract explains each. */
export const leftOutReasons = [
  "LINK",
  "UNREADABLE",
  "TEMPORARY",
  "NAME",
  "CHANGED",
  "SPECIAL",
] as const;
export type LeftOutReason = (typeof leftOutReasons)[number];

/** How many files were passed over for one reason, and some of them. */
export interface PassedOver<Reason extends string> {
  readonly reason: Reason;
  readonly fileCount: number;
  /** Up to three paths below the directory, as people may read them. */
  readonly examples: readonly string[];
}

/** What a save left out for one reason. */
export type LeftOutFiles = PassedOver<LeftOutReason>;

const mostExamples = 3;
const longestExample = 200;

/** Counts files by the reason for which they were passed over. */
export class Tally<Reason extends string> {
  readonly #found = new Map<Reason, { fileCount: number; examples: string[] }>();

  /** Counts one file, by its path below the directory. */
  add(reason: Reason, path: string): void {
    const { examples, ...found } = this.#of(reason);
    if (examples.length < mostExamples) examples.push(readable(path));
    this.#found.set(reason, { fileCount: found.fileCount + 1, examples });
  }

  /** Counts what was counted elsewhere. */
  addAll(passedOver: readonly PassedOver<Reason>[]): void {
    for (const { reason, fileCount, examples } of passedOver) {
      const found = this.#of(reason);
      this.#found.set(reason, {
        fileCount: found.fileCount + fileCount,
        examples: [...found.examples, ...examples].slice(0, mostExamples),
      });
    }
  }

  /** What was counted; a reason without files is absent. */
  list(): PassedOver<Reason>[] {
    return [...this.#found].map(([reason, found]) => ({ reason, ...found }));
  }

  #of(reason: Reason) {
    return this.#found.get(reason) ?? { fileCount: 0, examples: [] };
  }
}

/** How many files were left out for one of these reasons. */
export function leftOutCount(
  leftOut: readonly LeftOutFiles[],
  ...reasons: readonly LeftOutReason[]
): number {
  return leftOut
    .filter(({ reason }) => reasons.includes(reason))
    .reduce((sum, { fileCount }) => sum + fileCount, 0);
}

/** A path as it may be shown; a long one is cut. */
function readable(path: string): string {
  const text = harmless(path);
  return text.length > longestExample ? `${text.slice(0, longestExample)}...` : text;
}
