import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const digestOf = (content: Buffer) =>
  createHash("sha256").update(content).digest("hex").slice(0, 24);

/** Writes files that are named after their content, so that whoever finds one can tell whether it is whole. */
export function writeChecked(directory: string, count: number, bytes: number): void {
  const aWhileAgo = new Date(Date.now() - 60_000);
  for (let n = 0; n < count; n++) {
    const content = randomBytes(Math.ceil(Math.random() * bytes));
    const path = join(directory, `${n % 4}`, `${digestOf(content)}.bin`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    utimesSync(path, aWhileAgo, aWhileAgo);
  }
}

/** Names of files in a directory that are not what they are named after, and how many there are in all. */
export function checkAll(directory: string): { files: number; wrong: string[] } {
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".bin"),
  );
  const wrong = names.filter((name) => {
    const expected = /([0-9a-f]{24})\.bin$/.exec(name)?.[1];
    return digestOf(readFileSync(join(directory, name))) !== expected;
  });
  return { files: names.length, wrong };
}
