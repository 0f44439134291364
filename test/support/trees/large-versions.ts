import { createCipheriv } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

const fileCount = 24;
const fileBytes = 1024 * 1024;
const finished = new Date(Date.now() - 60_000);

/** Writes a version of a cache that does not compress, so that its archive takes several parts. */
export function writeLargeVersion(dir: string, version: number): void {
  mkdirSync(dir, { recursive: true });
  for (let n = 0; n < fileCount; n++) {
    const path = join(dir, `kernel-${n}.cubin`);
    writeFileSync(path, contentOf(version, n));
    utimesSync(path, finished, finished);
  }
}

/** Which version a directory holds, whole; undefined if it holds none. Throws if it holds anything else. */
export function largeVersionIn(dir: string): number | undefined {
  const names = existsSync(dir) ? readdirSync(dir) : [];
  if (names.length === 0) return undefined;
  if (names.length !== fileCount) throw new Error(`${dir} holds ${names.join(", ")}`);
  const version = readFileSync(join(dir, "kernel-0.cubin")).readUInt32LE(0);
  for (let n = 0; n < fileCount; n++)
    if (!readFileSync(join(dir, `kernel-${n}.cubin`)).equals(contentOf(version, n)))
      throw new Error(`${dir}: kernel-${n}.cubin is not of version ${version}`);
  return version;
}

/** The version's number, then noise. */
function contentOf(version: number, n: number): Buffer {
  const key = Buffer.alloc(32);
  key.writeUInt32LE(version, 0);
  key.writeUInt32LE(n, 4);
  const content = createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(
    Buffer.alloc(fileBytes),
  );
  content.writeUInt32LE(version, 0);
  return content;
}
