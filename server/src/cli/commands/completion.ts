import createCompletion from "@bomb.sh/tab/commander";
import type { Command } from "commander";

const name = "completion";
const shells = ["bash", "zsh", "fish"];

const installation = `
To have it in each new shell:
  bash  compilecache completion bash \\
          > ~/.local/share/bash-completion/completions/compilecache
  zsh   compilecache completion zsh > "\${fpath[1]}/_compilecache"
  fish  compilecache completion fish \\
          > ~/.config/fish/completions/compilecache.fish

In this shell alone:
  source <(compilecache completion bash)

In bash it needs the package bash-completion, loaded before.`;

/** `compilecache completion`: the script by which a shell completes commands and options. All others come before it. */
export function addCompletionCommand(program: Command): void {
  createCompletion(program, { completionCommandName: name });
  const command = program.commands.find((candidate) => candidate.name() === name);
  command
    ?.description("print the script by which a shell completes commands and options")
    .helpOption("-h, --help", "show this help")
    .addHelpText("after", installation)
    .usage("bash|zsh|fish");
  command?.registeredArguments[0]?.choices(shells);
  if (command?.registeredArguments[0]) command.registeredArguments[0].description = "the shell";
}
