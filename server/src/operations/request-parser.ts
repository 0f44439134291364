import { CacheError, invalidField } from "../domain/cache-error.ts";
import { type CacheId, parseCacheKey, parseNamespace } from "../domain/cache-id.ts";
import { parseEnvironment } from "../domain/environment.ts";
import { parseAll } from "../domain/parse-all.ts";
import { findProfile, type Profiles } from "../domain/profile.ts";
import type { CacheTarget } from "../flows/cache-target.ts";
import type { CopyTarget } from "../flows/copy.ts";
import type { LoadTarget } from "../flows/load.ts";
import type { SaveTarget } from "../flows/save/attempt.ts";
import {
  type AllowedDir,
  type AllowedPath,
  canonical,
  createAllowedDirs,
  isWithin,
  overlap,
} from "../local/allowed-dirs.ts";
import { type PageRequest, parsePage } from "../transfers/page.ts";
import type {
  CopySpec,
  ListCachesSpec,
  LoadSpec,
  LocalDirSpec,
  SaveSpec,
  TargetSpec,
} from "./cache-operations.ts";
import { defaultCopyName, parseOperationName } from "./operation-name.ts";
import { parseIdentity } from "./same-directory.ts";

/**
 * Judges requests, without a look at any disk. Throws one INVALID_REQUEST for all that is malformed,
 * or else PATH_NOT_ALLOWED.
 */
export interface RequestParser {
  target(spec: TargetSpec): CacheTarget;
  load(spec: LoadSpec): LoadTarget;
  save(spec: SaveSpec): SaveTarget;
  copy(spec: CopySpec): CopyTarget & { readonly operationName: string };
  listCaches(spec: ListCachesSpec): {
    /** Undefined for all. */
    readonly namespace: string | undefined;
    readonly currentCacheKey: string | undefined;
    readonly page: PageRequest;
  };
  cacheId(id: CacheId): CacheId;
  localDir(spec: LocalDirSpec): AllowedPath;
}

/** Links in the directories are resolved now. */
export function createRequestParser(options: {
  allowedDirs: readonly AllowedDir[];
  /** The daemon's own local directory. */
  localDir: string;
  /** A further directory that copies may read and write. */
  workDir: string;
  /** Where the store is on this machine, if it is. */
  storeDir: string | undefined;
  profiles: Profiles;
}): RequestParser {
  const { allowedDirs } = options;
  const workDir = { clientPath: options.workDir, daemonPath: options.workDir };
  const storeDir = options.storeDir === undefined ? undefined : canonical(options.storeDir);
  const apart = storeDir === undefined ? {} : { apartFrom: storeDir };
  const localDirs = createAllowedDirs(allowedDirs);
  const destinations = createAllowedDirs([...allowedDirs, workDir]);
  const sources = createAllowedDirs([
    ...allowedDirs,
    workDir,
    ...(storeDir === undefined ? [] : [{ clientPath: storeDir, daemonPath: storeDir }]),
  ]);

  /** A load or clear could empty a store that it reaches, and a save would save it. */
  const parseLocalDir = (spec: LocalDirSpec): AllowedPath => {
    const [allowed] = parseAll([
      () => localDirs.resolve(spec.localDir || options.localDir, "local_dir"),
      () => parseIdentity(spec.localDirIdentity, "local_dir_identity"),
    ]);
    if (storeDir !== undefined && overlap(allowed.path, storeDir))
      throw new CacheError(
        "PATH_NOT_ALLOWED",
        `local_dir ${allowed.path} and the store ${storeDir} may not hold each other`,
      );
    return { ...allowed, ...apart };
  };

  const destinationOf = (path: string): AllowedPath => {
    const destination = destinations.resolve(path, "destination");
    if (storeDir !== undefined && isWithin(destination.path, storeDir))
      throw new CacheError(
        "PATH_NOT_ALLOWED",
        `destination ${destination.path} is in the store, which only saves write to`,
      );
    return { ...destination, ...apart };
  };

  const copyTarget = (spec: CopySpec): CopyTarget => {
    const [source, destination] = parseAll([
      () => sources.resolve(spec.source, "source"),
      () => destinationOf(spec.destination),
      () => parseIdentity(spec.sourceIdentity, "source_identity"),
      () => parseIdentity(spec.destinationIdentity, "destination_identity"),
    ]);
    if (overlap(destination.path, source.path))
      throw invalidField(
        "destination",
        `${destination.path} and the source ${source.path} overlap`,
      );
    return { source, destination };
  };

  const target = (spec: TargetSpec): CacheTarget => {
    const [namespace, environment, localDir] = parseAll([
      () => parseNamespace(spec.namespace),
      () => parseEnvironment(spec.environment),
      () => parseLocalDir(spec),
    ]);
    return { namespace, ...environment, localDir };
  };

  return {
    target,
    localDir: parseLocalDir,

    load(spec) {
      const [found, policy] = parseAll([
        () => target(spec),
        () => requireKnown(spec.ifLocalExists, "if_local_exists"),
      ]);
      return { ...found, policy };
    },

    save(spec) {
      const [found, policy, profile] = parseAll([
        () => target(spec),
        () => requireKnown(spec.ifStoredExists, "if_stored_exists"),
        () => findProfile(options.profiles, spec.profile),
      ]);
      return { ...found, policy, profile };
    },

    copy(spec) {
      const [found, operationName] = parseAll([
        () => copyTarget(spec),
        () => parseOperationName(spec.operationName),
      ]);
      return { ...found, operationName: operationName || defaultCopyName(found.source.path) };
    },

    listCaches({ namespace, environment, ...page }) {
      const [only, current, asked] = parseAll([
        () => (namespace === "" ? undefined : parseNamespace(namespace)),
        () => environment && parseEnvironment(environment),
        () => parsePage(page),
      ]);
      return { namespace: only, currentCacheKey: current?.cacheKey, page: asked };
    },

    cacheId(id) {
      const [namespace, cacheKey] = parseAll([
        () => parseNamespace(id.namespace),
        () => parseCacheKey(id.cacheKey),
      ]);
      return { namespace, cacheKey };
    },
  };
}

function requireKnown<Policy>(policy: Policy | undefined, field: string): Policy {
  if (policy !== undefined) return policy;
  throw invalidField(field, "has a value that this daemon does not know");
}
