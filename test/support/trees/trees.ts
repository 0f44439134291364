import { createHash } from "node:crypto";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** Time of the files that makeTree writes, in seconds since 1970: long before any test. */
export const settledAt = 1_700_000_000;

/** A file to make: its content, or more about it. */
export type FileSpec =
  | string
  | Buffer
  | { readonly content: string | Buffer; readonly mode?: number; readonly mtime?: number };

/** Makes files by their paths below `dir`; a path that ends in `/` makes an empty directory. */
export function makeTree(dir: string, files: Readonly<Record<string, FileSpec>>): void {
  mkdirSync(dir, { recursive: true });
  for (const [name, spec] of Object.entries(files)) {
    const path = join(dir, name);
    if (name.endsWith("/")) {
      mkdirSync(path, { recursive: true });
      continue;
    }
    const { content, mode, mtime } =
      typeof spec === "string" || Buffer.isBuffer(spec)
        ? { content: spec, mode: undefined, mtime: undefined }
        : spec;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    if (mode !== undefined) chmodSync(path, mode);
    utimesSync(path, mtime ?? settledAt, mtime ?? settledAt);
  }
}

/**
 * Describes the entries below a directory, one sorted line each: kind, executable or not, time in
 * seconds, digest of the content, name. Leaves out the times of directories, which are not saved.
 */
export function listTree(dir: string): string[] {
  return [...linesBelow(dir, "")].sort();
}

function* linesBelow(dir: string, prefix: string): Generator<string> {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    const name = prefix + entry.name;
    const text = JSON.stringify(name);
    const stat = lstatSync(path);
    if (stat.isDirectory()) {
      yield `${text} directory`;
      yield* linesBelow(path, `${name}/`);
    } else if (stat.isFile()) {
      const mode = stat.mode & 0o111 ? "executable" : "plain";
      const digest = createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 16);
      yield `${text} ${mode} ${Math.floor(stat.mtimeMs / 1000)} ${stat.size} ${digest}`;
    } else if (stat.isSymbolicLink()) yield `${text} link to ${readlinkSync(path)}`;
    else yield `${text} special`;
  }
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(bytes: number, seed = 1): Buffer {
  const content = Buffer.allocUnsafe(bytes);
  let state = seed | 1;
  for (let at = 0; at + 4 <= bytes; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    content.writeInt32LE(state, at);
  }
  content.fill(seed, bytes - (bytes % 4));
  return content;
}
