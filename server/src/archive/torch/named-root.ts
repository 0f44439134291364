import { hash } from "node:crypto";
import { basename } from "node:path";
import { findMentions, isText, type Needle, needlesOf, pathAt } from "./path-mentions.ts";
import type { Relocation } from "./relocation.ts";

/**
 * How a file names the directory that it was saved from: in `text`, which can be rewritten for another
 * directory, or `fixed`, so that it works in that directory alone.
 */
export type NamedRoot = "text" | "fixed";

// Where the path is only told to people, in debug information and comments, or is not gone by: torch,
// Triton and vLLM load these elsewhere, and run.
const harmless = [
  /\.(cubin|hsaco|spv|ttir|ttgir|llir|ptx|amdgcn|source)$/,
  // torch's generated code, in a folder named after the first letters of its digest.
  /(^|\/)([a-z2-7]{2})\/c\2[a-z2-7]{40,}(\.\w+)?\.(py|cpp|h|cu)$/,
  // vLLM's compiled graphs: torch's graph entries in a bundle.
  /(^|\/)artifact_(compile_range|shape)_[^/]+$/,
  /(^|\/)torch_aot_compile\/[^/]+\/rank_[^/]+\/model$/,
];
const library = /\.so$/;
const sourceCode = /\.(py|c|cc|cpp|cxx|cu|cuh|h|hh|hpp)$/;

/** Whether a file of this name works in any directory, whichever it names. */
export function isHarmless(name: string): boolean {
  return harmless.some((pattern) => pattern.test(name));
}

/** How far a path may reach beyond the part of a file that is judged, in bytes. */
export const namedRootOverlap = 16 * 1024;

/** Looks for files that name one of these directories. */
export class RootFinder {
  readonly #needles: readonly Needle[];
  readonly #brokenUp: readonly string[];
  /** One of these is in every file that names a directory. One search is quicker than one a spelling. */
  readonly #signs: readonly Buffer[];

  constructor(directories: readonly string[]) {
    this.#needles = needlesOf(directories);
    this.#brokenUp = directories.flatMap(brokenUp);
    this.#signs = directories.map((directory) => Buffer.from(signOf(directory)));
  }

  /**
   * How a file names a directory; undefined if it does not. `content` is the whole file, or a part of
   * it, which is never text.
   */
  find(content: Buffer, name: string, isWhole: boolean): NamedRoot | undefined {
    if (!this.#signs.some((sign) => content.includes(sign))) return undefined;
    const inBinary = findMentions(content, this.#needles, false);
    const broken = this.#brokenUp.some((text) => content.includes(text));
    if (inBinary.length === 0 && !broken) return undefined;
    // C++ tells the source of a check that fails. Other paths, as of kernels, are opened.
    if (library.test(name))
      return inBinary.every(({ start }) => sourceCode.test(pathAt(content, start)))
        ? undefined
        : "fixed";
    if (!isWhole || broken || !isText(content)) return "fixed";
    const inText = findMentions(content, this.#needles, true);
    if (inText.length === 0) return undefined;
    const isFixed =
      isNamedAfter(name, content) ||
      inText.some(({ start, end }) => hasWrittenLength(content, start, end - start));
    return isFixed ? "fixed" : "text";
  }
}

/**
 * Rewrites the paths in text that names the old directory. Returns undefined where the new path would
 * have to be written in another way there.
 */
export function moveNamedRoot(
  content: Buffer,
  { from, alsoFrom, to }: Relocation,
): Buffer | undefined {
  if (/["'\\\p{Cc}]/u.test(to)) return undefined;
  const needles = needlesOf(alsoFrom === undefined ? [from] : [from, alsoFrom]);
  const pieces: Buffer[] = [];
  let done = 0;
  for (const { start, end, spelling } of findMentions(content, needles, true)) {
    pieces.push(content.subarray(done, start), Buffer.from(spelling(to)));
    done = end;
  }
  return Buffer.concat([...pieces, content.subarray(done)]);
}

/** The longest part of a path that every way of writing and breaking it leaves as it is; maybe none. */
function signOf(directory: string): string {
  const [unbroken = ""] = /^\S*/.exec(directory) ?? [];
  const parts = unbroken.match(/[\w.-]+/g) ?? [];
  return parts.reduce((longest, part) => (part.length > longest.length ? part : longest), "");
}

/** How Python's pprint writes a path with a space: the text goes on in the next line. */
function brokenUp(directory: string): string[] {
  const [firstPiece] = /^\S*\s+/.exec(directory) ?? [];
  return firstPiece === undefined ? [] : [`${firstPiece}'\n`, `${firstPiece}"\n`];
}

/** Whether a file's name is, or holds, a digest of its content. */
function isNamedAfter(name: string, content: Buffer): boolean {
  return ["sha256", "sha1", "md5"].some((algorithm) =>
    basename(name)
      .toLowerCase()
      .includes(hash(algorithm, content, "hex").slice(0, 16)),
  );
}

/** Whether the length of a text stands before it, as in `s:12:"/root/a/name"`. */
function hasWrittenLength(content: Buffer, at: number, least: number): boolean {
  const before = content.toString("latin1", Math.max(0, at - 24), at);
  const [, digits] = /(\d+)(?::| x i8\] c)["']?$/.exec(before) ?? [];
  return digits !== undefined && Number(digits) >= least;
}
