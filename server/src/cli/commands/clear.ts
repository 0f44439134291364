import type { Command } from "commander";
import { resolveLocalDirectory } from "compilecache-client";
import {
  addClientCommand,
  type ClientOptions,
  localDirOption,
  runWithClient,
} from "../client-command.ts";
import { exitCode } from "../exit-code.ts";
import { bytesText, fileCountText } from "../output/quantities.ts";

interface ClearOptions extends ClientOptions {
  dir?: string;
}

/** `compilecache clear`: empties a local directory. */
export function addClearCommand(program: Command): void {
  addClientCommand(program, "clear")
    .description("empty a local directory; what is stored stays")
    .addOption(localDirOption())
    .action((options: ClearOptions) =>
      runWithClient(options, async ({ client, signal, print }) => {
        const localDir = resolveLocalDirectory(options.dir);
        const cleared = await client.clearLocalCache({ localDir }, { signal });
        const { bytes, fileCount } = cleared;
        print(
          cleared,
          `removed ${fileCountText(fileCount)} (${bytesText(bytes)}) from ${localDir}`,
        );
        return exitCode.success;
      }),
    );
}
