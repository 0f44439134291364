import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { UsageError } from "../errors/usage-error.ts";
import { findPython, pythonProgram } from "./find-python.ts";

type FailedProcess = Error & { readonly stdout?: string; readonly stderr?: string };

const longestMs = 60_000;
const toldAfterMs = 1000;

/** What `compilecache env --json` prints, by the Python that is named or found. Throws UsageError. */
export async function detectByPython(
  named: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const python = findPython(named, "finding the environment");
  const begun = performance.now();
  // A person who waits wants to know why; a script that reads stderr wants errors alone.
  const tell = (text: string) => {
    if (process.stderr.isTTY) process.stderr.write(`compilecache: ${text}\n`);
  };
  const notice = setTimeout(() => tell(`asking ${python} for the environment`), toldAfterMs);
  try {
    const { stdout } = await promisify(execFile)(python, [pythonProgram(), "env", "--json"], {
      signal,
      timeout: longestMs,
    });
    return stdout;
  } catch (error) {
    signal.throwIfAborted();
    throw new UsageError(reasonOf(error as FailedProcess));
  } finally {
    clearTimeout(notice);
    const seconds = (performance.now() - begun) / 1000;
    if (seconds * 1000 > toldAfterMs) tell(`that took ${seconds.toFixed(1)} s; --key saves it`);
  }
}

/** What it told as JSON; where it did not come that far, the last that it said. */
function reasonOf({ stdout = "", stderr = "", message }: FailedProcess): string {
  try {
    return JSON.parse(stdout).error.message;
  } catch {
    const [why = message] = stderr.trim().split("\n").slice(-1).filter(Boolean);
    return why.replace(/^compilecache: /, "");
  }
}
