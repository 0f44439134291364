import type { Command } from "commander";
import { resolveLocalDirectory } from "compilecache-client";
import {
  addClientCommand,
  type ClientOptions,
  localDirOption,
  namespaceOption,
  type Session,
} from "./client-command.ts";
import { namedEnvironment } from "./environment/named-environment.ts";
import {
  addEnvironmentOptions,
  type EnvironmentOptions,
  environmentHelp,
} from "./environment/options.ts";

/** The options that all commands have that are about one cache and a local directory. */
export interface CacheOptions extends ClientOptions, EnvironmentOptions {
  namespace: string;
  dir?: string;
}

/** Adds such a command, with these options. */
export function addCacheCommand(
  program: Command,
  name: string,
  examples: readonly string[],
): Command {
  const command = addClientCommand(program, name, examples)
    .addOption(namespaceOption())
    .addOption(localDirOption());
  return addEnvironmentOptions(command).addHelpText("after", environmentHelp);
}

/** What the options name, as calls of the client take it; the local directory is absolute. */
export async function cacheTargetOf(options: CacheOptions, { client, signal }: Session) {
  const { namespace } = options;
  return {
    namespace,
    environment: await namedEnvironment(options, { client, namespace, signal }),
    localDir: resolveLocalDirectory(options.dir),
  };
}
