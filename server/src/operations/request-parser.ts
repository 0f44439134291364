import { normalize } from "node:path";
import { type Caller, holdsIn, type Rule, rulesFor, rulesIn } from "../access/caller.ts";
import type { Right } from "../access/rights.ts";
import { CacheError, invalidField } from "../domain/cache-error.ts";
import { type CacheId, parseCacheKey } from "../domain/cache-id.ts";
import { parseEnvironment } from "../domain/environment.ts";
import { defaultNamespace, isNamespace, parseNamespace } from "../domain/namespace.ts";
import { parseAll } from "../domain/parse-all.ts";
import { findProfile, type Profiles } from "../domain/profile.ts";
import type { CacheTarget } from "../flows/cache-target.ts";
import type { CopyTarget } from "../flows/copy.ts";
import type { LoadTarget } from "../flows/load.ts";
import type { SaveTarget } from "../flows/save/attempt.ts";
import {
  type AllowedDirs,
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
 * Judges the requests of one caller, without a look at any disk. Throws FORBIDDEN where no rule of theirs
 * allows such a request at all; else one INVALID_REQUEST for all that is malformed; else FORBIDDEN or
 * PATH_NOT_ALLOWED.
 */
export interface RequestParser {
  info(spec: TargetSpec): CacheTarget;
  load(spec: LoadSpec): LoadTarget;
  save(spec: SaveSpec): SaveTarget;
  copy(spec: CopySpec): CopyTarget & { readonly operationName: string };
  listCaches(spec: ListCachesSpec): {
    /** Undefined for all. */
    readonly namespace: string | undefined;
    readonly currentCacheKey: string | undefined;
    readonly page: PageRequest;
    /** Whether the caller may see the caches of a namespace. */
    readonly shows: (namespace: string) => boolean;
  };
  deletion(id: CacheId): CacheId;
  clearing(spec: LocalDirSpec): AllowedPath;
}

/** Links in the path of the store are resolved now. */
export function createRequestParser(options: {
  /** The daemon's own local directory. */
  localDir: string;
  /** Where the store is on this machine, if it is. */
  storeDir: string | undefined;
  profiles: Profiles;
}): (caller: Caller) => RequestParser {
  const storeDir = options.storeDir === undefined ? undefined : canonical(options.storeDir);
  const store = storeDir === undefined ? [] : [{ clientPath: storeDir, daemonPath: storeDir }];
  const storeDirs = createAllowedDirs(store);
  return (caller) => parserFor(caller, { ...options, storeDir, storeDirs });
}

/** What the first of the rules says; what the last one throws, where all of them throw. */
function byAny<Result>(rules: readonly Rule[], judge: (rule: Rule) => Result): Result {
  const [rule, ...others] = rules as readonly [Rule, ...Rule[]];
  if (others.length === 0) return judge(rule);
  try {
    return judge(rule);
  } catch (error) {
    if (!(error instanceof CacheError) || error.reason === "INVALID_REQUEST") throw error;
    return byAny(others, judge);
  }
}

function parserFor(
  caller: Caller,
  options: {
    localDir: string;
    storeDir: string | undefined;
    profiles: Profiles;
    storeDirs: AllowedDirs;
  },
): RequestParser {
  const { storeDir, storeDirs } = options;
  const apart = storeDir === undefined ? {} : { apartFrom: storeDir };

  /** A load or clear could empty a store that it reaches, and a save would save it. */
  const parseLocalDir = (spec: LocalDirSpec, rules: readonly Rule[]): AllowedPath => {
    const path = spec.localDir || options.localDir;
    const [allowed] = parseAll([
      () => byAny(rules, (rule) => rule.localDirs.resolve(path, "local_dir")),
      () => parseIdentity(spec.localDirIdentity, "local_dir_identity"),
    ]);
    if (storeDir !== undefined && overlap(allowed.path, storeDir))
      throw new CacheError(
        "PATH_NOT_ALLOWED",
        `local_dir ${allowed.path} and the store ${storeDir} may not hold each other`,
      );
    return { ...allowed, ...apart };
  };

  const destinationOf = (path: string, rule: Rule): AllowedPath => {
    const destination = rule.copyDirs.resolve(path, "destination");
    if (storeDir !== undefined && isWithin(destination.path, storeDir))
      throw new CacheError(
        "PATH_NOT_ALLOWED",
        `destination ${destination.path} is in the store, which only saves write to`,
      );
    return { ...destination, ...apart };
  };

  /** Whoever may read some namespaces only may not copy the others out of the store. */
  const sourceOf = (path: string, { copyDirs, namespaces }: Rule): AllowedPath => {
    const isInStore = storeDir !== undefined && isWithin(normalize(path), storeDir);
    if (!namespaces) return (isInStore ? storeDirs : copyDirs).resolve(path, "source");
    const source = copyDirs.resolve(path, "source");
    if (storeDir !== undefined && overlap(source.path, storeDir))
      throw new CacheError(
        "PATH_NOT_ALLOWED",
        `source ${source.path} and the store ${storeDir}, of which only some namespaces may be read, hold each other`,
      );
    return { ...source, ...apart };
  };

  const copyTarget = (spec: CopySpec, rule: Rule): CopyTarget => {
    const [source, destination] = parseAll([
      () => sourceOf(spec.source, rule),
      () => destinationOf(spec.destination, rule),
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

  const target = (spec: TargetSpec, granted: Granted): CacheTarget => {
    const [namespace, environment, localDir] = parseAll([
      () => parseNamespace(spec.namespace),
      () => parseEnvironment(spec.environment),
      () => parseLocalDir(spec, rulesAt(spec.namespace, granted)),
    ]);
    return { namespace, ...environment, localDir };
  };

  /** Throws FORBIDDEN where none of the rules holds there; what is malformed is told elsewhere. */
  const rulesAt = (namespace: string, { rules, needed }: Granted): readonly Rule[] => {
    const named = namespace.trim() || defaultNamespace;
    return isNamespace(named) ? rulesIn(named, rules, caller, ...needed) : rules;
  };

  const grant = (...needed: readonly Right[]): Granted => ({
    needed,
    rules: rulesFor(caller, ...needed),
  });

  const withOverwrite = (right: Right, overwrites: boolean): Granted =>
    grant(right, ...(overwrites ? (["overwrite"] as const) : []));

  return {
    info: (spec) => target(spec, grant("list")),
    clearing: (spec) => parseLocalDir(spec, rulesFor(caller, "clear")),

    load(spec) {
      const granted = withOverwrite("load", spec.ifLocalExists === "REPLACE");
      const [found, policy] = parseAll([
        () => target(spec, granted),
        () => requireKnown(spec.ifLocalExists, "if_local_exists"),
      ]);
      return { ...found, policy };
    },

    save(spec) {
      const granted = withOverwrite("save", spec.ifStoredExists === "REPLACE");
      const [found, policy, profile] = parseAll([
        () => target(spec, granted),
        () => requireKnown(spec.ifStoredExists, "if_stored_exists"),
        () => findProfile(options.profiles, spec.profile),
      ]);
      return { ...found, policy, profile };
    },

    copy(spec) {
      const rules = rulesFor(caller, "copy");
      const [found, operationName] = parseAll([
        () => byAny(rules, (rule) => copyTarget(spec, rule)),
        () => parseOperationName(spec.operationName),
      ]);
      return { ...found, operationName: operationName || defaultCopyName(found.source.path) };
    },

    listCaches({ namespace, environment, ...page }) {
      const rules = rulesFor(caller, "list");
      const [only, current, asked] = parseAll([
        () => (namespace.trim() === "" ? undefined : parseNamespace(namespace)),
        () => environment && parseEnvironment(environment),
        () => parsePage(page),
      ]);
      if (only !== undefined) rulesIn(only, rules, caller, "list");
      const shows = (namespace: string) => rules.some((rule) => holdsIn(namespace, rule));
      return { namespace: only, currentCacheKey: current?.cacheKey, page: asked, shows };
    },

    deletion(id) {
      const rules = rulesFor(caller, "delete");
      const [namespace, cacheKey] = parseAll([
        () => parseNamespace(id.namespace),
        () => parseCacheKey(id.cacheKey),
      ]);
      rulesIn(namespace, rules, caller, "delete");
      return { namespace, cacheKey };
    },
  };
}

/** The rights that a request needs, and the rules by which its caller has them. */
interface Granted {
  readonly needed: readonly Right[];
  readonly rules: readonly Rule[];
}

function requireKnown<Policy>(policy: Policy | undefined, field: string): Policy {
  if (policy !== undefined) return policy;
  throw invalidField(field, "has a value that this daemon does not know");
}
