import { unsafeArchive } from "../../domain/archive-error.ts";
import { entryNameFault } from "../format/entry-name.ts";

/**
 * Checks the name of an entry before it is used: see entryNameFault. Returns it without leading `./`
 * and trailing `/`. Throws ARCHIVE_UNSAFE.
 */
export function judgeEntryName(name: string): string {
  const plain = name.replace(/^(\.\/)+/, "").replace(/\/+$/, "");
  const fault = entryNameFault(plain);
  if (fault === undefined) return plain;
  throw unsafeArchive(`the archive holds the name ${JSON.stringify(shorten(name))}, ${fault}`);
}

function shorten(name: string): string {
  return name.length > 200 ? `${name.slice(0, 200)}...` : name;
}
