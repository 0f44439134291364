import { misspelledVariables } from "../config/misspelled-variables.ts";
import { harmless } from "../domain/harmless-text.ts";

/** These read the configuration, and tell of it themselves; a shell that completes asks at each key. */
const tellThemselves = ["serve", "gc", "verify", "sign", "complete"];

/** Says on stderr which variables are nearly ours, whatever the command does with the rest. */
export function tellMisspelledVariables(command: string | undefined): void {
  if (command !== undefined && tellThemselves.includes(command)) return;
  for (const words of misspelledVariables(process.env))
    process.stderr.write(`compilecache: ${harmless(words)}\n`);
}
