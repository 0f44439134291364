import type { Command, Option } from "commander";
import { isForPython } from "./become-python.ts";

/** What help calls the values that are paths. */
const pathWords = /^(path|dirs?|files?)$/;

/** Whether the last of the words, which is being typed, is the path of a file or directory. */
export function takesPath(program: Command, words: readonly string[]): boolean {
  const [name = "", ...rest] = words;
  const typed = rest.at(-1);
  if (typed === undefined) return false;
  // Of its options only Python knows more; most take paths, and so does what `run` runs.
  if (isForPython(words)) return !typed.startsWith("-");
  const command = program.commands.find((candidate) => candidate.name() === name);
  const flag = /^(--[\w-]+)=/.exec(typed)?.[1] ?? rest.at(-2);
  const option = command?.options.find(({ short, long }) => flag === long || flag === short);
  if (option?.required) return isPath(option);
  return name === "keygen" && !typed.startsWith("-");
}

function isPath({ flags }: Option): boolean {
  return pathWords.test(/<([^>]+)>/.exec(flags)?.[1] ?? "");
}
