import type { ArchiveFormat } from "../../domain/cache-id.ts";
import { ownPrefix } from "../../domain/own-names.ts";
import { needsPaxHeader } from "./tar-header.ts";

const maxNameBytes = 4096;
const maxComponentBytes = 255;

/**
 * Far deeper than any compiler's directories, and shallow enough that a walk which holds each directory
 * open on its way down never runs out of descriptors.
 */
const maxComponents = 128;

/** A load reaches its stage by a path of its own, which leaves less than Linux allows for a name. */
const maxPackedNameBytes = maxNameBytes - 64;

/**
 * Why no load takes an entry of this name, which stands without leading `./` and trailing `/`: names
 * are relative, without `.`, `..` or empty components, without NUL, no longer than Linux allows, at most
 * 128 components deep, and none of them is a daemon's own. Undefined for a name that loads.
 */
export function entryNameFault(plain: string): string | undefined {
  if (plain.includes("\0")) return "with a NUL in it";
  if (plain.startsWith("/")) return "which is absolute";
  if (Buffer.byteLength(plain) > maxNameBytes) return "which is too long";
  const parts = plain.split("/");
  if (parts.length > maxComponents) return `which is more than ${maxComponents} directories deep`;
  for (const part of parts) {
    if (part.startsWith(ownPrefix)) return "which only the daemon itself may make";
    if (part === "..") return "which leaves the directory";
    if (part === "" || part === ".") return "which is not a plain path";
    if (Buffer.byteLength(part) > maxComponentBytes) return "which is too long";
  }
  return undefined;
}

/**
 * Whether a save may pack an entry of this name (a directory's ends in `/`), so that a load takes it
 * again. A `tar.gz` has no file index, and a load of it refuses names that tools read differently.
 */
export function isPackable(name: string, format: ArchiveFormat): boolean {
  if (Buffer.byteLength(name) > maxPackedNameBytes) return false;
  if (format === "tar.gz" && !isReadAlike(name)) return false;
  return entryNameFault(name.replace(/\/$/, "")) === undefined;
}

/** U+FFFD may stand for bytes that are not UTF-8, and a PAX header ends its records with line breaks. */
function isReadAlike(name: string): boolean {
  return !name.includes("\ufffd") && !(name.includes("\n") && needsPaxHeader(name));
}
