import type { RootCommand } from "@bomb.sh/tab";
import createCompletion from "@bomb.sh/tab/commander";
import type { Command } from "commander";
import { helpTopics } from "../help-topics.ts";
import { takesPath } from "../takes-path.ts";

const name = "completion";
const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

const installation = `
To have it in each new shell:
  bash  mkdir -p ~/.local/share/bash-completion/completions
        compilecache completion bash \\
          > ~/.local/share/bash-completion/completions/compilecache
  zsh   mkdir -p ~/.zfunc
        compilecache completion zsh > ~/.zfunc/_compilecache
        (~/.zshrc: fpath+=~/.zfunc, before compinit)
  fish  mkdir -p ~/.config/fish/completions
        compilecache completion fish \\
          > ~/.config/fish/completions/compilecache.fish

In this shell alone:
  source <(compilecache completion bash)

In bash it needs the package bash-completion, loaded before.`;

/** `compilecache completion`: the script by which a shell completes commands and options. All others come before it. */
export function addCompletionCommand(program: Command): void {
  const root = createCompletion(program, { completionCommandName: name });
  const commandOf = (called: string) => program.commands.find((each) => each.name() === called);
  const command = commandOf(name)
    ?.description("print the script by which a shell completes commands and options")
    .helpOption("-h, --help", "show this help")
    .addHelpText("after", installation)
    .usage("bash|zsh|fish")
    .action((shell: Shell) => {
      process.stdout.write(scriptOf(root, program.name(), shell));
    });
  const argument = command?.registeredArguments[0]?.choices(shells);
  if (argument) argument.description = "the shell";
  root.commands.get("help")?.argument("topic", (complete) => {
    for (const topic of Object.keys(helpTopics)) complete(topic, "a topic");
    for (const one of program.createHelp().visibleCommands(program))
      complete(one.name(), one.description());
  });
  // The last of the words is the one that is being typed.
  commandOf("complete")?.action((words: string[]) => {
    if (takesPath(program, words)) process.stdout.write(filesAsWell);
    else root.parse(words);
  });
}

/** No words, and none of what the scripts know as directives: shells then complete names of files. */
const filesAsWell = ":0\n";

/** The library's script, which it can only print. */
function scriptOf(root: RootCommand, program: string, shell: Shell): string {
  const { log } = console;
  let script = "";
  console.log = (text: string) => {
    script += `${text}\n`;
  };
  try {
    root.setup(program, program, shell);
  } finally {
    console.log = log;
  }
  return shell === "bash" ? forBash(script) : script;
}

/**
 * Read twice, or beside another program's, its constants would be errors. And bash completes names of
 * files only where the registration says so.
 */
function forBash(script: string): string {
  return script
    .replace(/^readonly /gm, "")
    .replaceAll("ShellCompDirective", "__compilecache_directive")
    .replace(/^complete -F /m, "complete -o default -F ");
}
