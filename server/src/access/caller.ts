import { CacheError } from "../domain/cache-error.ts";
import { type AllowedDir, type AllowedDirs, createAllowedDirs } from "../local/allowed-dirs.ts";
import type { Right } from "./rights.ts";

/** Something that callers may do, and where: all of it together. */
export interface Rule {
  readonly may: ReadonlySet<Right>;
  /** Where local directories may be. */
  readonly localDirs: AllowedDirs;
  /** What copies may read and write. */
  readonly copyDirs: AllowedDirs;
  /** Names of namespaces, with `*` for any text in them; undefined for all namespaces. */
  readonly namespaces: readonly string[] | undefined;
}

/** Makes a rule. Links in its directories are resolved now. */
export function createRule(options: {
  may: Iterable<Right>;
  /** Where local directories may be, and what copies may read and write. */
  directories?: readonly AllowedDir[];
  /** What copies may read and write besides. */
  copyDirectories?: readonly AllowedDir[];
  namespaces?: readonly string[] | undefined;
  /** What names the directories, for errors; default: COMPILE_CACHE_ALLOWED_DIRS. */
  saidBy?: string;
}): Rule {
  const { may, directories = [], copyDirectories = [], namespaces, saidBy } = options;
  return {
    may: new Set(may),
    localDirs: createAllowedDirs(directories, saidBy),
    copyDirs: createAllowedDirs([...directories, ...copyDirectories], saidBy),
    namespaces,
  };
}

/** Who calls: what the log calls them, and what they may do by any one of their rules. */
export interface Caller {
  readonly name: string;
  readonly rules: readonly Rule[];
}

/** Off by default: a copy is no cache. */
const howToCopy =
  ": the daemon allows copies below LOCAL_WORK_DIR (--local-work-dir), or by a rule of COMPILE_CACHE_CONFIG_FILE";

/** The rules by which a caller may do all that is needed. Throws FORBIDDEN where there is none. */
export function rulesFor({ name, rules }: Caller, ...needed: readonly Right[]): readonly Rule[] {
  const granting = rules.filter(({ may }) => needed.every((right) => may.has(right)));
  if (granting.length > 0) return granting;
  throw new CacheError(
    "FORBIDDEN",
    `${name} lacks the right to ${needed.join(" and ")}${needed.includes("copy") ? howToCopy : ""}`,
  );
}

/** Those of the rules, which grant what is needed, that hold in a namespace. Throws FORBIDDEN where there is none. */
export function rulesIn(
  namespace: string,
  rules: readonly Rule[],
  { name }: Caller,
  ...needed: readonly Right[]
): readonly Rule[] {
  const holding = rules.filter((rule) => holdsIn(namespace, rule));
  if (holding.length > 0) return holding;
  throw new CacheError(
    "FORBIDDEN",
    `${name} lacks the right to ${needed.join(" and ")} in the namespace ${namespace}: ` +
      "the daemon's configuration file (COMPILE_CACHE_CONFIG_FILE) has no rule that gives it there",
  );
}

/** Whether a rule holds in a namespace. */
export function holdsIn(namespace: string, { namespaces }: Rule): boolean {
  return (
    namespaces === undefined || namespaces.some((pattern) => namespaceMatches(namespace, pattern))
  );
}

/** Whether a pattern, in which `*` stands for any text, fits a namespace. */
export function namespaceMatches(namespace: string, pattern: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return namespace === pattern;
  if (!namespace.startsWith(first)) return false;
  let from = first.length;
  const last = rest.pop() ?? "";
  for (const part of rest) {
    const at = namespace.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return namespace.length - last.length >= from && namespace.endsWith(last);
}
