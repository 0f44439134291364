import type { Command } from "commander";
import {
  addClientCommand,
  type ClientOptions,
  namespaceOption,
  runWithClient,
} from "../client-command.ts";
import { exitCode } from "../exit-code.ts";

interface RemoveOptions extends ClientOptions {
  namespace: string;
}

/** `compilecache rm`: removes one cache from the store. */
export function addRmCommand(program: Command): void {
  addClientCommand(program, "rm <cache-key>")
    .description("remove a cache from the store")
    .addOption(namespaceOption())
    .action((cacheKey: string, options: RemoveOptions) =>
      runWithClient(options, async ({ client, signal, print }) => {
        const { namespace } = options;
        await client.deleteCache({ namespace, cacheKey }, { signal });
        print({ namespace, cacheKey }, `removed ${namespace}/${cacheKey}`);
        return exitCode.success;
      }),
    );
}
