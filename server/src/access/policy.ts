import type { AllowedDir } from "../local/allowed-dirs.ts";
import { type Caller, createRule } from "./caller.ts";
import { allRights, type Right, readingRights } from "./rights.ts";
import type { FileToken, Token } from "./tokens.ts";

/** Who may do what, at one listener. */
export interface Policy {
  /** Whoever can connect, and shows no token; undefined where a token is wanted. */
  readonly anyone: Caller | undefined;
  readonly tokens: readonly Token[];
  /** Names that callers have proven by a certificate. */
  readonly certificates: readonly { readonly name: string; readonly caller: Caller }[];
}

/**
 * The policy where no configuration file says another: everybody who can connect may do everything in the
 * directories given, or as much as the word before the token allows where tokens are given. Copies are
 * allowed where a directory for them is named.
 */
export function defaultPolicy(options: {
  directories: readonly AllowedDir[];
  /** The directory that copies may read and write besides, if one is named. */
  workDir: string | undefined;
  tokens: readonly FileToken[] | undefined;
}): Policy {
  const { directories, workDir, tokens } = options;
  const copies = workDir === undefined ? [] : [{ clientPath: workDir, daemonPath: workDir }];
  const mayCopy = copies.length > 0;
  const callerWith = (name: string, rights: ReadonlySet<Right>): Caller => {
    const may = [...rights].filter((right) => right !== "copy" || mayCopy);
    return { name, rules: [createRule({ may, directories, copyDirectories: copies })] };
  };
  return {
    certificates: [],
    anyone: tokens ? undefined : callerWith("anybody who can connect", allRights),
    tokens: (tokens ?? []).map(({ word, ...token }) => ({
      ...token,
      caller: callerWith(`the token ${token.name}`, word === "write" ? allRights : readingRights),
    })),
  };
}
