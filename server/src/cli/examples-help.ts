/** For the help of a command: lines that work, without the program's name. */
export function examplesHelp(examples: readonly string[]): string {
  return ["\nExamples:", ...examples.map((words) => `  compilecache ${words}`), ""].join("\n");
}
