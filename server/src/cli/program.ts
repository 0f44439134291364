import { Command, CommanderError } from "commander";
import { toolVersion } from "../domain/tool-version.ts";
import { addClearCommand } from "./commands/clear.ts";
import { addGcCommand } from "./commands/gc.ts";
import { addInfoCommand } from "./commands/info.ts";
import { addKeygenCommand } from "./commands/keygen.ts";
import { addLoadCommand } from "./commands/load.ts";
import { addLsCommand } from "./commands/ls.ts";
import { addRmCommand } from "./commands/rm.ts";
import { addSaveCommand } from "./commands/save.ts";
import { serveCommand } from "./commands/serve.ts";
import { addSignCommand } from "./commands/sign.ts";
import { addVerifyCommand } from "./commands/verify.ts";
import { addWatchCommand } from "./commands/watch.ts";
import { exitCode, exitCodeHelp } from "./exit-code.ts";

/** Runs the command line `argv`, which starts with node and the script, and sets the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  // The reader of our output may stop early, as `head` does.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(exitCode.success);
  });
  try {
    await createProgram().parseAsync(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? exitCode.success : exitCode.usage;
  }
}

function createProgram(): Command {
  const program = new Command("compilecache")
    .description(
      "Saves compile caches of torch to a store that machines share, and loads them back.",
    )
    .version(toolVersion, "--version", "show the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .showHelpAfterError("(compilecache --help, or --help after a command, tells more)")
    .addHelpText("after", exitCodeHelp)
    .exitOverride();
  program.addCommand(serveCommand);
  addLoadCommand(program);
  addSaveCommand(program);
  addWatchCommand(program);
  addLsCommand(program);
  addInfoCommand(program);
  addRmCommand(program);
  addClearCommand(program);
  addGcCommand(program);
  addKeygenCommand(program);
  addSignCommand(program);
  addVerifyCommand(program);
  return program;
}
