import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Command } from "commander";
import { folderOfNamespace } from "../domain/namespace.ts";
import { createProgram } from "./create-program.ts";
import { helpTopics } from "./help-topics.ts";

const commandsOfPython = ["run", "env"];
const hidden = ["complete", "version"];

/** The whole help, as a terminal of 80 columns shows it. */
function helpOf(command: Command): string {
  let shown = "";
  command.configureOutput({
    writeOut: (text) => {
      shown += text;
    },
    getOutHelpWidth: () => 80,
  });
  command.outputHelp();
  return shown;
}

function requireNarrow(text: string): void {
  for (const line of text.split("\n")) assert.ok(line.length <= 80, line);
}

describe("the program's help", () => {
  it("names all commands in groups, and fits 80 columns", () => {
    const program = createProgram();
    const help = helpOf(program);
    for (const { name } of program.commands.map((command) => ({ name: command.name() })))
      if (!hidden.includes(name)) assert.match(help, new RegExp(`^ {2}${name}\\b`, "m"));
    assert.match(help, /^Transfers that run:$/m);
    for (const topic of Object.keys(helpTopics)) assert.match(help, new RegExp(topic));
    requireNarrow(help);
  });

  it("of a command has an example of it, and fits 80 columns", () => {
    const withoutExample = [...commandsOfPython, ...hidden, "completion", "help"];
    const { commands } = createProgram();
    assert.ok(commands.length >= 20);
    for (const command of commands) {
      const help = helpOf(command);
      if (!withoutExample.includes(command.name()))
        assert.match(help, new RegExp(`^Examples:\\n {2}compilecache ${command.name()}\\b`, "m"));
      requireNarrow(help);
    }
  });

  it("has topics, each of lines of 80 characters at most", () => {
    for (const [topic, text] of Object.entries(helpTopics)) {
      assert.ok(text.startsWith(topic.toUpperCase()), topic);
      requireNarrow(text);
    }
    const folder = folderOfNamespace("meta-llama/Llama-3.1-8B");
    assert.ok(helpTopics.store?.includes(`${folder}.`), folder);
  });
});
