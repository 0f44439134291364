import type { Command } from "commander";
import { cacheKeyOf } from "../../domain/environment.ts";
import { parseEnvironmentKey } from "../../domain/parse-environment-key.ts";
import {
  addClientCommand,
  type ClientOptions,
  namespaceOption,
  runWithClient,
} from "../client-command.ts";
import { UsageError } from "../errors/usage-error.ts";
import { exitCode } from "../exit-code.ts";
import { commandName } from "../hints/command-name.ts";

interface RemoveOptions extends ClientOptions {
  namespace: string;
  key?: string;
}

/** `compilecache rm`: removes one cache from the store. */
export function addRmCommand(program: Command): void {
  addClientCommand(program, "rm [cache-key]", [
    "rm 0123456789ab --namespace llama-8b",
    'rm --key "$(compilecache env --key)"',
  ])
    .description("remove a cache from the store")
    .addOption(namespaceOption())
    .option("--key <key>", "its cache key, or its environment key")
    .action((cacheKey: string | undefined, options: RemoveOptions) =>
      runWithClient(options, async ({ client, signal, print }) => {
        const { namespace } = options;
        const key = cacheKeyNamed(cacheKey, options.key);
        await client.deleteCache({ namespace, cacheKey: key }, { signal });
        print({ namespace, cacheKey: key }, `removed ${namespace}/${key}`);
        return exitCode.success;
      }),
    );
}

/** What is no environment key is for the daemon to judge. */
function cacheKeyNamed(word: string | undefined, option: string | undefined): string {
  const key = word ?? option;
  if (key === undefined || (word !== undefined && option !== undefined))
    throw new UsageError(
      `give the key of one cache, as an argument or by --key; ${commandName()} ls lists them`,
    );
  return parseEnvironmentKey(key) ? cacheKeyOf(key) : key;
}
