import { once } from "node:events";
import { createInterface } from "node:readline";
import { harmless } from "../domain/harmless-text.ts";

/** Whether a person sits there who could answer. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks a person a question; whether the answer is yes. No answer, and the end of the input, are none. */
export async function ask(question: string, signal: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answered = new Promise<string>((resolve) => {
      terminal.question(`${harmless(question)} [y/N] `, { signal }, resolve);
    });
    const closed = once(terminal, "close", { signal }).then(() => "");
    return /^y(es)?$/i.test((await Promise.race([answered, closed])).trim());
  } finally {
    terminal.close();
  }
}
