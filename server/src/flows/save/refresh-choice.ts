import type { OwnArchive } from "../../archive/format/open-archive.ts";
import type { Comparison } from "../../archive/pack/compare.ts";
import { mostHeaderBytes, mostStreamBytes } from "../../domain/limits.ts";
import type { ArchiveReader } from "../../store/store.ts";
import type { FlowContext } from "../context.ts";

/** Once more than this share of a cache was appended by refreshes, it is packed afresh. */
const mostAppended = 1 / 4;

/** Whether no load would take the stored cache, for its size. */
export function isOverLimits(
  { limits }: FlowContext,
  reader: ArchiveReader,
  archive: OwnArchive,
): boolean {
  return (
    reader.bytes > limits.maxArchiveBytes ||
    archive.contentBytes > limits.maxContentBytes ||
    archive.fileCount > limits.maxFileCount ||
    archive.streamBytes > mostStreamBytes(limits)
  );
}

/** Whether the directory holds enough that the stored cache lacks. */
export function isWorthIt(
  { refreshMinPercent }: FlowContext,
  archive: OwnArchive,
  comparison: Comparison,
): boolean {
  const share = refreshMinPercent / 100;
  const enough = (added: number, stored: number) => added > 0 && added >= share * stored;
  return (
    enough(comparison.newFiles, archive.fileCount) ||
    enough(comparison.newBytes, archive.contentBytes)
  );
}

/** The union, where it is the local directory, is packed whole once too much of it was appended. */
export function isBetterPackedAfresh(
  { limits }: FlowContext,
  archive: OwnArchive,
  comparison: Comparison,
): boolean {
  const { fresh, absent } = comparison;
  const appended = archive.appendedBytes + fresh.bytes;
  const bytes = archive.contentBytes + fresh.bytes;
  const files = archive.fileCount + fresh.fileCount;
  if (bytes > limits.maxContentBytes || files > limits.maxFileCount) return true;
  const headers = fresh.fileCount * mostHeaderBytes;
  if (archive.streamBytes + fresh.bytes + headers > mostStreamBytes(limits)) return true;
  return absent === 0 && appended > mostAppended * bytes;
}
