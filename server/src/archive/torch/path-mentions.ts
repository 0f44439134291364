import { isUtf8 } from "node:buffer";

/** A place in a file that names a directory. Positions are in bytes. */
export interface Mention {
  readonly start: number;
  readonly end: number;
  /** How the file writes a path there. */
  readonly spelling: Spelling;
}

/** A way to write a path. */
type Spelling = (path: string) => string;

const spellings: readonly Spelling[] = [
  (path) => path,
  (path) => JSON.stringify(path).slice(1, -1),
  (path) => asciiJson(path),
  // As some writers of JSON do.
  (path) => path.replaceAll("/", "\\/"),
  (path) => path.replaceAll("\\", "\\\\"),
  (path) => pythonBytes(path),
  (path) => encodeURI(path),
  (path) => encodeURIComponent(path),
  (path) => encodeURIComponent(path).replace(/%\w\w/g, (code) => code.toLowerCase()),
];

function asciiJson(path: string): string {
  return path.replace(
    /[^ -~]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function pythonBytes(path: string): string {
  return path.replace(/[^ -~]+/g, (letters) =>
    [...Buffer.from(letters)].map((byte) => `\\x${byte.toString(16)}`).join(""),
  );
}

/** Whether content is text: UTF-8 without control characters, but for those of lines. */
export function isText(content: Buffer): boolean {
  return isUtf8(content) && !content.some((byte) => byte < 0x20 && (byte < 9 || byte > 13));
}

/** A directory as files may name it, in each way of writing paths. */
export interface Needle {
  readonly directory: string;
  readonly bytes: Buffer;
  readonly slash: Buffer;
  readonly spelling: Spelling;
}

/** What to look for to find that a file names one of some directories. */
export function needlesOf(directories: readonly string[]): Needle[] {
  // Every path is below the root of the file system.
  return directories.flatMap((directory) => (directory === "/" ? [] : waysToWrite(directory)));
}

function waysToWrite(directory: string): Needle[] {
  const ways = new Map<string, Spelling>();
  for (const spelling of spellings)
    if (!ways.has(spelling(directory))) ways.set(spelling(directory), spelling);
  return [...ways].map(([text, spelling]) => ({
    directory,
    bytes: Buffer.from(text),
    slash: Buffer.from(spelling("/")),
    spelling,
  }));
}

/**
 * Where content names a directory, in order. In text the end of a path is told by letters alone, and a
 * path that only ends like the directory does not count.
 */
export function findMentions(
  content: Buffer,
  needles: readonly Needle[],
  isTextual: boolean,
): Mention[] {
  const starts = isTextual ? startsPathInText : startsPathInBinary;
  const found = new Map<number, Mention>();
  for (const { directory, bytes, slash, spelling } of needles)
    for (let at = content.indexOf(bytes); at >= 0; at = content.indexOf(bytes, at + 1)) {
      const end = at + bytes.length;
      const ends = endsName(content, end, slash, isTextual);
      if (!ends && (isTextual || !hasItsLength(content, at, bytes.length))) continue;
      if (!starts(content, at, directory) || end <= (found.get(at)?.end ?? 0)) continue;
      found.set(at, { start: at, end, spelling });
    }
  const mentions = [...found.values()].sort((a, b) => a.start - b.start);
  return mentions.filter(({ start }, i) => start >= (mentions[i - 1]?.end ?? 0));
}

/** Text that starts at a place and could be a path, in bytes as Latin-1. */
export function pathAt(content: Buffer, at: number): string {
  const text = content.toString("latin1", at, at + longestPathBytes);
  return /^[^\0-\x20"'`<>|*?;,()[\]{}]*/.exec(text)?.[0] ?? "";
}

const longestPathBytes = 4096;
const inName = Array.from({ length: 256 }, (_, byte) =>
  /[\w.~+@%-]/.test(String.fromCharCode(byte)),
);

/** Whether no name goes on at `end`: `/root/a` is not named by `/root/ab`. */
function endsName(content: Buffer, end: number, slash: Buffer, isTextual: boolean): boolean {
  const next = content[end];
  if (next === undefined || content.subarray(end, end + slash.length).equals(slash)) return true;
  return next >= 0x80 ? !isTextual : !inName[next];
}

/** Whether the bytes before a text are its length, as pickles and others write it. */
function hasItsLength(content: Buffer, at: number, length: number): boolean {
  if (at < 4) return at > 0 && content[at - 1] === length;
  return content[at - 1] === length || content.readUInt32LE(at - 4) === length;
}

/** The name, or the names with slashes, that directly precede a place. */
function namesBefore(content: Buffer, at: number): string {
  let start = at;
  while (start > 0 && at - start < longestNamesBefore && beforePath[content[start - 1] as number])
    start -= 1;
  return content.toString("latin1", start, at);
}

const longestNamesBefore = 256;
const beforePath = Array.from({ length: 256 }, (_, byte) =>
  /[\w.~/-]/.test(String.fromCharCode(byte)),
);

/** Whether a path starts here, and not only goes on: `/root/a` is not named by `/mnt/root/a`. */
function startsPathInText(content: Buffer, at: number): boolean {
  const before = namesBefore(content, at);
  if (before === "" || before === "//" || /^-[A-Za-z]+$/.test(before)) return true;
  // The letter of an escape, as in "\n/root/a".
  return /^[nrt]$/.test(before) && content[at - 2] === 0x5c;
}

// Lengths and opcodes before a text may look like names.
function startsPathInBinary(content: Buffer, at: number, directory: string): boolean {
  const isDeep = directory.lastIndexOf("/") > 0;
  return isDeep || !/\/[\w.~-]+$/.test(namesBefore(content, at));
}
