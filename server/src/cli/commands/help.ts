import type { Command } from "commander";
import { becomePython, isForPython } from "../become-python.ts";
import { UsageError } from "../errors/usage-error.ts";
import { exitCode } from "../exit-code.ts";
import { helpTopics } from "../help-topics.ts";
import { commandName } from "../hints/command-name.ts";

/** `compilecache help`: the help of a command, or of a topic. */
export function addHelpCommand(program: Command): void {
  program
    .command("help")
    .description(`show help, also about a topic: ${Object.keys(helpTopics).join(", ")}`)
    .helpOption("-h, --help", "show this help")
    .argument("[topic]", "a topic or a command")
    .action((word: string | undefined) => {
      try {
        process.stdout.write(helpOf(program, word));
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        process.stderr.write(`compilecache: ${error.message}\n`);
        process.exitCode = exitCode.usage;
      }
    });
}

function helpOf(program: Command, word: string | undefined): string {
  if (word === undefined) {
    program.outputHelp();
    return "";
  }
  const topic = helpTopics[word];
  if (topic !== undefined) return topic;
  if (isForPython([word])) {
    becomePython([word, "--help"]);
    return "";
  }
  const command = program.commands.find((candidate) => candidate.name() === word);
  if (!command) {
    const topics = Object.keys(helpTopics).join(", ");
    throw new UsageError(
      `there is no command and no topic ${JSON.stringify(word)}; the topics are ${topics},\n` +
        `and ${commandName()} --help lists the commands`,
    );
  }
  command.outputHelp();
  return "";
}
