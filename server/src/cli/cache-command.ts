import type { Command } from "commander";
import { resolveLocalDirectory } from "compilecache-client";
import {
  addClientCommand,
  type ClientOptions,
  localDirOption,
  namespaceOption,
} from "./client-command.ts";
import {
  type EnvironmentOptions,
  environmentOf,
  requireEnvironment,
} from "./environment-options.ts";

/** The options that all commands have that are about one cache and a local directory. */
export interface CacheOptions extends ClientOptions, EnvironmentOptions {
  namespace: string;
  dir?: string;
}

/** Adds such a command, with these options. */
export function addCacheCommand(program: Command, name: string): Command {
  return requireEnvironment(addClientCommand(program, name))
    .addOption(namespaceOption())
    .addOption(localDirOption());
}

/** What the options name, as calls of the client take it; the local directory is absolute. */
export function cacheTargetOf(options: CacheOptions) {
  return {
    namespace: options.namespace,
    environment: environmentOf(options),
    localDir: resolveLocalDirectory(options.dir),
  };
}
