import { unsafeArchive } from "../../domain/archive-error.ts";

const maxNameBytes = 4096;
const maxComponentBytes = 255;

/**
 * Checks the name of an entry before it is used: relative, without `.`, `..` or empty components,
 * without NUL, and no longer than Linux allows. Returns it without leading `./` and trailing `/`.
 * Throws ARCHIVE_UNSAFE.
 */
export function judgeEntryName(name: string): string {
  const plain = name.replace(/^(\.\/)+/, "").replace(/\/+$/, "");
  const refuse = (why: string) =>
    unsafeArchive(`the archive holds the name ${JSON.stringify(shorten(name))}, ${why}`);
  if (plain.includes("\0")) throw refuse("with a NUL in it");
  if (plain.startsWith("/")) throw refuse("which is absolute");
  if (Buffer.byteLength(plain) > maxNameBytes) throw refuse("which is too long");
  for (const part of plain.split("/")) {
    if (part === "..") throw refuse("which leaves the directory");
    if (part === "" || part === ".") throw refuse("which is not a plain path");
    if (Buffer.byteLength(part) > maxComponentBytes) throw refuse("which is too long");
  }
  return plain;
}

function shorten(name: string): string {
  return name.length > 200 ? `${name.slice(0, 200)}...` : name;
}
