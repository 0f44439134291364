import type { OwnArchive } from "../archive/format/open-archive.ts";
import { parseArchiveFilename } from "../domain/cache-id.ts";
import { cacheKeyOf } from "../domain/environment.ts";
import { requireCacheOf } from "../flows/stored-archives.ts";
import type { ArchiveName } from "../store/store.ts";

/** Requires that an archive has the name of the cache that it was saved for. Throws ARCHIVE_UNSAFE. */
export function requireOwnName({ namespace, filename }: ArchiveName, archive: OwnArchive): void {
  const cacheKey = parseArchiveFilename(filename)?.cacheKey;
  const isItsKey = cacheKeyOf(archive.environmentKey) === cacheKey;
  const environmentKey = isItsKey ? archive.environmentKey : `cache key ${cacheKey}`;
  requireCacheOf({ namespace, environmentKey }, archive);
}
