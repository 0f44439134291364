import type { BigIntStats } from "node:fs";
import * as fs from "node:fs/promises";
import { ArchiveUnreadable } from "../../store.ts";

/** The state of an archive's file. Throws ArchiveUnreadable for what is no file: links are not followed. */
export async function statFile(path: string): Promise<BigIntStats> {
  const stat = await fs.lstat(path, { bigint: true });
  if (stat.isFile()) return stat;
  throw new ArchiveUnreadable(`${path} is ${kindOf(stat)}, where an archive should be a file`);
}

function kindOf(stat: BigIntStats): string {
  if (stat.isDirectory()) return "a directory";
  if (stat.isSymbolicLink()) return "a symbolic link, which the store does not follow";
  return "no file";
}
