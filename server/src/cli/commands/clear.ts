import type { Command } from "commander";
import { resolveLocalDirectory } from "compilecache-client";
import { ask, canAsk } from "../ask.ts";
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
  yes?: true;
}

/** `compilecache clear`: empties a local directory; on a terminal it asks first. */
export function addClearCommand(program: Command): void {
  addClientCommand(program, "clear", ["clear", "clear --dir /tmp/torchinductor_root"])
    .description("empty a local directory; what is stored stays")
    .addOption(localDirOption())
    .option("-y, --yes", "ask nothing; a terminal is asked otherwise")
    .action((options: ClearOptions) =>
      runWithClient(options, async ({ client, signal, print, json }) => {
        const localDir = resolveLocalDirectory(options.dir);
        const asks = !options.yes && !json && canAsk();
        if (asks && !(await ask(`Remove all files in ${localDir}?`, signal))) {
          print({}, "nothing was removed");
          return exitCode.failure;
        }
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
