import { CacheError } from "../../domain/cache-error.ts";
import type { ArchiveReader } from "../../store/store.ts";

/**
 * Reads a part of an archive that lies within its length. Throws STORE_UNAVAILABLE if fewer bytes come:
 * that is the store's failure, and proves nothing about the archive.
 */
export async function readExactly(
  reader: ArchiveReader,
  offset: number,
  length: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  const buffer = await reader.read(offset, length, signal);
  if (buffer.length === length) return buffer;
  throw new CacheError(
    "STORE_UNAVAILABLE",
    `the store gave only ${buffer.length} of ${length} bytes of ${reader.namespace}/${reader.filename}, ` +
      `which has ${reader.bytes}`,
  );
}
