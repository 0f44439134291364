import { becomePython, isForPython } from "./become-python.ts";

/** Runs the command line `argv`, which starts with node and the script, and sets the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const words = argv.slice(2);
  // Nothing has touched the standard streams yet, whose state Python inherits.
  if (isForPython(words)) return becomePython(words);
  const { runProgram } = await import("./create-program.ts");
  await runProgram(argv);
}
