import { Command, CommanderError, type OutputConfiguration } from "commander";
import { CacheServiceError } from "compilecache-client";
import { toolVersion } from "../domain/tool-version.ts";
import { addCancelCommand } from "./commands/cancel.ts";
import { addClearCommand } from "./commands/clear.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import { addGcCommand } from "./commands/gc.ts";
import { addHelpCommand } from "./commands/help.ts";
import { addInfoCommand } from "./commands/info.ts";
import { addKeygenCommand } from "./commands/keygen.ts";
import { addLoadCommand } from "./commands/load.ts";
import { addLogsCommand } from "./commands/logs.ts";
import { addLsCommand } from "./commands/ls.ts";
import { addPsCommand } from "./commands/ps.ts";
import { addRmCommand } from "./commands/rm.ts";
import { addSaveCommand } from "./commands/save.ts";
import { serveCommand } from "./commands/serve.ts";
import { addSignCommand } from "./commands/sign.ts";
import { addStatusCommand } from "./commands/status.ts";
import { addStopCommand } from "./commands/stop.ts";
import { addVerifyCommand } from "./commands/verify.ts";
import { addWatchCommand } from "./commands/watch.ts";
import { exitCode, exitCodeHelp, exitCodeOfError } from "./exit-code.ts";
import { failureOf, tellFailure } from "./failure.ts";
import { exitOnLostOutput } from "./output/lost-output.ts";
import { tellMisspelledVariables } from "./tell-misspelled-variables.ts";

/** Runs the command line `argv`, which starts with node and the script, and sets the exit code. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  exitOnLostOutput();
  // Wrong words may keep the options from being read.
  const json = argv.includes("--json");
  tellMisspelledVariables(argv[2]);
  try {
    await createProgram(json ? { writeErr() {} } : {}).parseAsync(argv);
  } catch (error) {
    // The variables name no store, and so no daemon of one.
    if (error instanceof CacheServiceError) {
      process.exitCode = exitCodeOfError(error);
      tellFailure(failureOf(error), json);
      return;
    }
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? exitCode.success : exitCode.usage;
    const message = error.message.replace(/^error: /, "");
    if (json && error.exitCode !== 0) tellFailure({ code: "INVALID_ARGUMENT", message }, json);
  }
}

const examples = `
Examples:
  compilecache run -- python train.py
  compilecache serve --store file:///mnt/shared/compile_cache
  compilecache ls

A command's own help: compilecache load --help
In depth: compilecache help environment (or store, or keys)
`;

/** The program with all its commands, which write help and errors to `output`. */
export function createProgram(output: OutputConfiguration = {}): Command {
  const program = new Command("compilecache")
    .configureOutput({ outputError: inOurName, ...output })
    .description(
      "Saves compile caches of torch to a store that machines share, and loads them back.",
    )
    .version(toolVersion, "-V, --version", "show the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .showHelpAfterError("(compilecache --help lists the commands)")
    .addHelpText("after", examples + exitCodeHelp)
    .exitOverride();
  program.commandsGroup("Models and caches:");
  addCommandsOfPython(program);
  addLoadCommand(program);
  addSaveCommand(program);
  addInfoCommand(program);
  addLsCommand(program);
  addRmCommand(program);
  addClearCommand(program);
  program.commandsGroup("Transfers that run:");
  addPsCommand(program);
  addWatchCommand(program);
  addCancelCommand(program);
  program.commandsGroup("Daemons:");
  program.addCommand(serveCommand);
  addStatusCommand(program);
  addLogsCommand(program);
  addStopCommand(program);
  program.commandsGroup("The store itself:");
  addGcCommand(program);
  addVerifyCommand(program);
  addSignCommand(program);
  addKeygenCommand(program);
  program.commandsGroup("More:");
  addHelpCommand(program);
  addCompletionCommand(program);
  program.command("version", { hidden: true }).action(() => {
    process.stdout.write(`${toolVersion}\n`);
  });
  serveCommand.configureOutput({ outputError: inOurName });
  for (const command of program.commands)
    command.showHelpAfterError(`(compilecache ${command.name()} --help tells more)`);
  return program;
}

/** All that goes wrong is told alike, whoever finds it. */
function inOurName(text: string, write: (text: string) => void): void {
  write(text.replace(/^error: /, "compilecache: "));
}

/** `program.ts` hands these over; here they are for the help and for shells that complete. */
function addCommandsOfPython(program: Command): void {
  program.command("run").description("run a command with its compile cache");
  program.command("env").description("print the environment that caches are for here");
}
