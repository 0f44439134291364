import { type OwnArchive, openArchive } from "../archive/format/open-archive.ts";
import type { FormatWork } from "../archive/format/port.ts";
import { inOrder } from "../async/in-order.ts";
import { unsafeArchive } from "../domain/archive-error.ts";
import { CacheError } from "../domain/cache-error.ts";
import {
  archiveFilename,
  archiveFormats,
  type CacheId,
  parseArchiveFilename,
} from "../domain/cache-id.ts";
import { cacheKeyOf, differingComponents, type Environment } from "../domain/environment.ts";
import type { ClosestCache, StoredCache } from "../domain/stored-cache.ts";
import type { Trust } from "../signing/trust.ts";
import {
  type ArchiveName,
  type ArchiveReader,
  ArchiveReplaced,
  ArchiveUnreadable,
  type Store,
} from "../store/store.ts";

/** How many archives are opened at once to read their manifests. */
const describeWindow = 6;

/** The most archives of a namespace that are read to find the closest one. */
const closestCandidates = 256;

/** A store, the threads on which what its archives say of themselves is read, and who signs them. */
export interface ReadStore {
  readonly store: Store;
  readonly work: FormatWork;
  readonly trust: Trust;
}

/** The names that the archive of a cache may have, the preferred first. */
export function archiveNames({ namespace, cacheKey }: CacheId): ArchiveName[] {
  return archiveFormats.map((format) => ({
    namespace,
    filename: archiveFilename(cacheKey, format),
  }));
}

/** The archive that a load takes of each cache, in the order in which a store lists them. */
export async function listCacheArchives(
  store: Store,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<ArchiveName[]> {
  const names = await store.list(namespace, signal);
  const known = new Set(names.map(pathOf));
  const isPreferred = (name: ArchiveName) => {
    const cacheKey = parseArchiveFilename(name.filename)?.cacheKey ?? "";
    const ofCache = archiveNames({ namespace: name.namespace, cacheKey });
    return ofCache.map(pathOf).find((path) => known.has(path)) === pathOf(name);
  };
  return names.filter(isPreferred);
}

function pathOf({ namespace, filename }: ArchiveName): string {
  return `${namespace}/${filename}`;
}

/** Opens the archive of a cache, whichever format it has; undefined if there is none. */
export async function openStored(
  store: Store,
  id: CacheId,
  signal: AbortSignal,
): Promise<ArchiveReader | undefined> {
  for (const name of archiveNames(id)) {
    const reader = await store.open(name, signal);
    if (reader) return reader;
  }
  return undefined;
}

/** What an open archive tells of itself. `own` is undefined for one that another tool made. */
export function describe(
  reader: ArchiveReader,
  own: OwnArchive | undefined,
  trust: Trust,
): StoredCache {
  const signedBy = own && trust.signerOf(own);
  return {
    namespace: reader.namespace,
    cacheKey: parseArchiveFilename(reader.filename)?.cacheKey ?? "",
    ...(own ? { environment: own.environment } : {}),
    filename: reader.filename,
    archiveBytes: reader.bytes,
    contentBytes: own?.contentBytes ?? 0,
    fileCount: own?.fileCount ?? 0,
    createdAt: own?.createdAt ?? reader.modifiedAt,
    generation: own?.generation ?? 0,
    ...(signedBy ? { signedBy } : {}),
    ...(own ? { origin: own.origin } : {}),
  };
}

function describeUnreadable({ namespace, filename }: ArchiveName): StoredCache {
  return {
    namespace,
    cacheKey: parseArchiveFilename(filename)?.cacheKey ?? "",
    filename,
    archiveBytes: 0,
    contentBytes: 0,
    fileCount: 0,
    createdAt: undefined,
    generation: 0,
  };
}

/** The cache that an archive is to be. */
export interface WantedCache {
  readonly namespace: string;
  readonly environmentKey: string;
}

/** Requires that an archive was saved for that namespace and environment. Throws ARCHIVE_UNSAFE. */
export function requireCacheOf(wanted: WantedCache, archive: OwnArchive): void {
  if (archive.isOf(wanted)) return;
  const differsIn = (part: keyof WantedCache) => archive[part] !== wanted[part];
  const whose = ({ namespace, environmentKey }: WantedCache) =>
    [
      ...(differsIn("namespace") ? [`namespace ${namespace}`] : []),
      ...(differsIn("environmentKey")
        ? [`environment ${environmentKey} (cache key ${cacheKeyOf(environmentKey)})`]
        : []),
    ].join(" and ");
  throw unsafeArchive(
    `the archive was saved for ${whose(archive)}, and not for ${whose(wanted)}: it was copied or ` +
      "renamed by hand. Load it from where it was saved, or save again here with the policy replace",
  );
}

/** Requires that an archive has the name of the cache that it was saved for. Throws ARCHIVE_UNSAFE. */
export function requireItsName(name: ArchiveName, archive: OwnArchive): void {
  if (hasItsName(name, archive)) return;
  const { namespace, environmentKey } = archive;
  const own = pathOf({
    namespace,
    filename: archiveFilename(cacheKeyOf(environmentKey), "tar.zst"),
  });
  throw unsafeArchive(
    `the archive was saved as ${own}, for environment ${environmentKey}, and has another name now: it ` +
      "was copied or renamed by hand, and no load takes it",
  );
}

/** Whether an archive of ours has the name of the cache that it was saved for. */
function hasItsName({ namespace, filename }: ArchiveName, archive: OwnArchive): boolean {
  const cacheKey = parseArchiveFilename(filename)?.cacheKey;
  return archive.namespace === namespace && cacheKeyOf(archive.environmentKey) === cacheKey;
}

/** Describes the archive of a cache; undefined if there is none. One that no load would take is described by its name. */
export async function describeStored(
  { store, ...known }: ReadStore,
  id: CacheId,
  signal: AbortSignal,
): Promise<StoredCache | undefined> {
  await using reader = await openStored(store, id, signal);
  return reader && (await describeOpen(reader, known, signal));
}

async function describeOpen(
  reader: ArchiveReader,
  { work, trust }: Omit<ReadStore, "store">,
  signal: AbortSignal,
): Promise<StoredCache> {
  try {
    const archive = await openArchive(reader, work, signal);
    const own = archive && hasItsName(reader, archive) ? archive : undefined;
    return describe(reader, own, trust);
  } catch (error) {
    const code = error instanceof CacheError ? error.code : undefined;
    if (code === "DATA_LOSS" || code === "FAILED_PRECONDITION")
      return describe(reader, undefined, trust);
    throw error;
  }
}

/**
 * Describes archives, in the order of their names; leaves out what vanished meanwhile. One that cannot be
 * read, or is replaced again and again, is described by its name, without a size, for the others are none the worse for it.
 */
export async function describeAll(
  { store, ...known }: ReadStore,
  names: readonly ArchiveName[],
  signal: AbortSignal,
): Promise<StoredCache[]> {
  const descriptions: StoredCache[] = [];
  const describeOne = async (name: ArchiveName) => {
    await using reader = await store.open(name, signal);
    return reader && (await describeOpen(reader, known, signal));
  };
  const describeOneAnyway = (name: ArchiveName) =>
    describeOne(name).catch((error) => {
      if (error instanceof ArchiveUnreadable || error instanceof ArchiveReplaced)
        return describeUnreadable(name);
      throw error;
    });
  for await (const description of inOrder(names, describeWindow, describeOneAnyway))
    if (description) descriptions.push(description);
  return descriptions;
}

function savedMs({ createdAt }: StoredCache): number {
  return createdAt?.getTime() ?? 0;
}

/** Of the caches of a namespace, the one whose environment differs in the fewest components. */
export async function findClosest(
  stored: ReadStore,
  namespace: string,
  environment: Environment,
  signal: AbortSignal,
): Promise<ClosestCache | undefined> {
  const names = (await listCacheArchives(stored.store, namespace, signal)).slice(
    0,
    closestCandidates,
  );
  let closest: ClosestCache | undefined;
  for (const cache of await describeAll(stored, names, signal)) {
    if (!cache.environment) continue;
    const differing = differingComponents(environment, cache.environment);
    const closer =
      !closest ||
      differing.length < closest.differing.length ||
      (differing.length === closest.differing.length && savedMs(cache) > savedMs(closest.cache));
    if (closer) closest = { cache, differing };
  }
  return closest;
}

/** The most other namespaces that a miss tells of, and how long it looks for them: they only make its words better. */
const mostOthers = 4;
const mostOthersMs = 1_000;

/** Other namespaces that hold a cache of that key, sorted: a load may have named the wrong one. */
export async function namespacesThatHoldIt(
  store: Store,
  { namespace, cacheKey }: CacheId,
  signal: AbortSignal,
): Promise<string[]> {
  try {
    const soon = AbortSignal.any([signal, AbortSignal.timeout(mostOthersMs)]);
    const holding = (await store.list(undefined, soon)).filter(
      ({ filename }) => parseArchiveFilename(filename)?.cacheKey === cacheKey,
    );
    const others = new Set(holding.map((name) => name.namespace));
    others.delete(namespace);
    return [...others].sort().slice(0, mostOthers);
  } catch {
    signal.throwIfAborted();
    return [];
  }
}
