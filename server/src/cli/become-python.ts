import { UsageError } from "./errors/usage-error.ts";
import { exitCode } from "./exit-code.ts";
import { findPython, pythonProgram } from "./python/find-python.ts";

/** The commands that need the Python that has torch, and are written in it. */
const commandsOfPython = ["run", "env"];

/** Whether these words are for a command that Python does. */
export function isForPython([command]: readonly string[]): boolean {
  return command !== undefined && commandsOfPython.includes(command);
}

/**
 * Replaces this process by Python with the same words, so that signals and the exit code need no
 * help. Sets the exit code where there is no Python.
 */
export function becomePython(words: readonly string[]): void {
  try {
    const python = findPython(namedPython(words), `compilecache ${words[0]}`);
    // It starts the daemon with the Node that is there.
    const COMPILE_CACHE_NODE = process.env.COMPILE_CACHE_NODE || process.execPath;
    process.execve?.(python, [python, pythonProgram(), ...words], {
      ...process.env,
      COMPILE_CACHE_NODE,
    });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const otherwise =
      words[0] === "env"
        ? "\nOther commands work without it: --key names the environment."
        : "\nWithout it, load and save around the command: their --key names the environment.";
    const message = `${error.message}.${otherwise}`;
    // What follows `run` is another program's.
    const json = words[0] === "env" && words.includes("--json");
    if (json) {
      const told = { code: "INVALID_ARGUMENT", message, violations: [] };
      process.stdout.write(`${JSON.stringify({ error: told })}\n`);
    } else process.stderr.write(`compilecache: ${message}\n`);
    process.exitCode = exitCode.usage;
  }
}

const flagsWithoutValue = new Set(["-h", "--help", "--json", "--key"]);

/** What `--python` names, if it stands before the command that is to be run. */
function namedPython(words: readonly string[]): string | undefined {
  for (let at = 1; at < words.length; at++) {
    const word = words[at] as string;
    if (!word.startsWith("-") || word === "--") return undefined;
    const [flag, value] = word.split(/=(.*)/s);
    if (flag === "--python") return value ?? words[at + 1];
    if (value === undefined && !flagsWithoutValue.has(word)) at++;
  }
  return undefined;
}
